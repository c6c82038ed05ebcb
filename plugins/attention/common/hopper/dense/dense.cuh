// How a kernel of a given shape is prepared and launched.
#pragma once

#include <algorithm>
#include <numbers>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/common/hopper/kernel.cuh"
#include "plugins/attention/common/hopper/products.cuh"
#include "plugins/attention/common/hopper/tensor_map.hpp"

namespace fastvideo::dense {

/// Dense attention in 16 bits: see hopper/shape.cuh.
template <class Element, int kHeadSize, int kKeys, int kConsumers>
using Shape = hopper::Shape<Element, hopper::HalfScores<Element>, hopper::HalfValues<Element>, kHeadSize, kKeys,
                            kConsumers, 1, hopper::OnlineSoftmax>;

template <class S>
using KeyBlocks = hopper::DenseKeyBlocks<S::kKeys>;

template <class S>
constexpr auto attention_kernel = hopper::attention_kernel<S, KeyBlocks<S>>;

template <class S>
cudaLaunchConfig_t launch_configuration(int blocks, cudaStream_t stream, cudaLaunchAttribute& cluster) {
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {static_cast<unsigned>(S::kCluster), 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(S::kThreads);
  config.dynamicSmemBytes = sizeof(hopper::SharedMemory<S>);
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  return config;
}

template <class S>
int prepare() {
  hopper::check_cuda(cudaFuncSetAttribute(attention_kernel<S>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          sizeof(hopper::SharedMemory<S>)),
                     "setting the shared memory of an attention kernel");
  cudaLaunchAttribute cluster{};
  const cudaLaunchConfig_t config = launch_configuration<S>(S::kCluster, nullptr, cluster);
  int clusters = 0;
  hopper::check_cuda(cudaOccupancyMaxActiveClusters(&clusters, attention_kernel<S>, &config),
                     "asking how many blocks of an attention kernel fit");
  return clusters * S::kCluster;
}

inline hopper::TokenTensor token_tensor(const void* data, int64_t batch, int64_t tokens, int64_t heads, int64_t size,
                                        const TokenStrides& s) {
  return {data, batch, tokens, heads, size, s.batch, s.token, s.head};
}

template <class S>
void launch(const Call& c, int blocks, cudaStream_t stream) {
  constexpr auto kElement = hopper::map_element<typename S::Element>();
  if (c.batch == 0 || c.queries == 0 || c.heads == 0) return;
  hopper::Parameters<KeyBlocks<S>> p{};
  p.queries = hopper::make_tensor_map(token_tensor(c.q, c.batch, c.queries, c.heads, S::kHeadSize, c.q_strides),
                                      hopper::kWarpgroupRows, kElement);
  if (c.keys > 0) {  // without keys nothing is loaded
    p.keys = hopper::make_tensor_map(token_tensor(c.k, c.batch, c.keys, c.kv_heads, S::kHeadSize, c.k_strides),
                                     S::kKeysLoaded, kElement);
    p.values = hopper::make_tensor_map(token_tensor(c.v, c.batch, c.keys, c.kv_heads, S::kHeadSize, c.v_strides),
                                       S::kKeysLoaded, kElement);
  }
  p.out = c.out;
  p.out_batch = c.out_strides.batch;
  p.out_token = c.out_strides.token;
  p.out_head = c.out_strides.head;
  p.log_sum_exp = c.log_sum_exp;
  p.log_sum_exp_batch = c.log_sum_exp_batch;
  p.log_sum_exp_head = c.log_sum_exp_head;
  p.key_blocks = {c.key_lengths, static_cast<int>(c.keys)};
  p.heads = static_cast<int>(c.heads);
  p.heads_per_key_head = static_cast<int>(c.heads / c.kv_heads);
  p.scale_log2 = c.scale * std::numbers::log2e_v<float>;
  p.scheduler = {static_cast<int>(c.queries), static_cast<int>(c.heads), static_cast<int>(c.batch), S::kRows,
                 S::kCluster};

  cudaLaunchAttribute cluster{};
  const int wanted = p.scheduler.jobs() * S::kCluster;
  const cudaLaunchConfig_t config = launch_configuration<S>(std::min(blocks, wanted), stream, cluster);
  hopper::check_cuda(cudaLaunchKernelEx(&config, attention_kernel<S>, p), "launching an attention kernel");
}

template <class S>
constexpr Kernel kernel(const char* name) {
  return {name, std::is_same_v<typename S::Element, __nv_bfloat16>, S::kHeadSize, S::kKeys, prepare<S>, launch<S>};
}

}  // namespace fastvideo::dense
