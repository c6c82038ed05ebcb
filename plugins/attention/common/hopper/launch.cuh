// How the kernel of a given shape and policy is set up, filled in and launched.
#pragma once

#include <algorithm>
#include <numbers>
#include <type_traits>

#include "plugins/attention/common/hopper/call.hpp"
#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/kernel.cuh"
#include "plugins/attention/common/hopper/tensor_map.hpp"

namespace fastvideo::hopper {

/// The launch configuration for clusters of `cluster` blocks.
class LaunchInClusters {
 public:
  LaunchInClusters(int cluster, int blocks, int threads, int shared_bytes, cudaStream_t stream) {
    attribute_.id = cudaLaunchAttributeClusterDimension;
    attribute_.val.clusterDim.x = cluster;
    attribute_.val.clusterDim.y = attribute_.val.clusterDim.z = 1;
    config_.gridDim = blocks;
    config_.blockDim = threads;
    config_.dynamicSmemBytes = shared_bytes;
    config_.stream = stream;
    config_.attrs = &attribute_;
    config_.numAttrs = 1;
  }
  LaunchInClusters(const LaunchInClusters&) = delete;
  LaunchInClusters& operator=(const LaunchInClusters&) = delete;
  const cudaLaunchConfig_t* get() const { return &config_; }

 private:
  cudaLaunchAttribute attribute_{};
  cudaLaunchConfig_t config_{};
};

/// Allows the kernel its shared memory. Returns how many blocks of the kernel the current device holds at once. Throws
/// std::runtime_error.
template <class S, class KeyBlocks>
int prepare_kernel() {
  constexpr auto kKernel = attention_kernel<S, KeyBlocks>;
  constexpr int kBytes = sizeof(SharedMemory<S>);
  check_cuda(cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes),
             "setting the shared memory of an attention kernel");
  int device = 0, multiprocessors = 0, blocks = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  check_cuda(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device),
             "asking for the number of multiprocessors");
  check_cuda(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kKernel, S::kThreads, kBytes),
             "asking how many blocks of an attention kernel fit");
  blocks *= multiprocessors;
  constexpr int kCluster = kClusterOf<S, KeyBlocks>;
  if constexpr (kCluster > 1) {
    int clusters = 0;
    LaunchInClusters launch(kCluster, blocks / kCluster * kCluster, S::kThreads, kBytes, nullptr);
    check_cuda(cudaOccupancyMaxActiveClusters(&clusters, kKernel, launch.get()),
               "asking how many clusters of an attention kernel fit");
    blocks = clusters * kCluster;
  }
  return blocks;
}

/// The factor that makes products of queries and keys scores in powers of two.
inline float scale_log2(const Call& c) { return c.scale * std::numbers::log2e_v<float>; }

/// The parameters of every call except its operands, their scales and key blocks, and a scheduler of lists.
template <class S, class KeyBlocks>
Parameters<KeyBlocks> make_parameters(const Call& c) {
  Parameters<KeyBlocks> p{};
  p.out = c.out;
  p.out_batch = c.out_strides.batch;
  p.out_token = c.out_strides.token;
  p.out_head = c.out_strides.head;
  p.log_sum_exp = c.log_sum_exp;
  p.log_sum_exp_batch = c.log_sum_exp_batch;
  p.log_sum_exp_head = c.log_sum_exp_head;
  p.heads = static_cast<int>(c.heads);
  p.heads_per_key_head = static_cast<int>(c.heads / c.kv_heads);
  p.scale_log2 = scale_log2(c);
  if constexpr (std::is_same_v<typename KeyBlocks::Scheduler, TileScheduler>)
    p.scheduler = {static_cast<int>(c.queries), p.heads, static_cast<int>(c.batch), S::kRows, INT_MAX, S::kCluster};
  return p;
}

/// The tensor map of an operand in the caller's memory.
inline TokenTensor token_tensor(const void* data, int64_t batch, int64_t tokens, int64_t heads, int64_t size,
                                const TokenStrides& s) {
  return {data, batch, tokens, heads, size, s.batch, s.token, s.head};
}

/// Enqueues the kernel. blocks: the result of prepare_kernel. Throws std::runtime_error.
template <class S, class KeyBlocks>
void launch_kernel(const Parameters<KeyBlocks>& p, int blocks, cudaStream_t stream) {
  constexpr int kCluster = kClusterOf<S, KeyBlocks>;
  if constexpr (kCluster > 1) {
    const LaunchInClusters launch(kCluster, std::min(blocks, p.scheduler.jobs()), S::kThreads, sizeof(SharedMemory<S>),
                                  stream);
    check_cuda(cudaLaunchKernelEx(launch.get(), attention_kernel<S, KeyBlocks>, p), "launching an attention kernel");
  } else {
    attention_kernel<S, KeyBlocks>
        <<<std::min(blocks, p.scheduler.jobs()), S::kThreads, sizeof(SharedMemory<S>), stream>>>(p);
    check_cuda(cudaGetLastError(), "launching an attention kernel");
  }
}

}  // namespace fastvideo::hopper
