// The attention kernel for Hopper (sm_90a), after FlashAttention-3 (Shah et al. 2024): persistent blocks of one
// warpgroup that loads and two or three that compute.
//
//   tile_scheduler.hpp   which query tile next          key_blocks.hpp      which keys it visits
//   walk.hpp, jobs.cuh   the two as one sequence        producer.cuh        global to shared memory
//   products.cuh         Q K^T and P V                  online_softmax.cuh  scores to probabilities
//   consumer.cuh         the main loop that joins them  epilogue.cuh        registers to global memory
//   quantised_*.cuh      products and softmax in 8 bits shape.cuh           tiles, shared memory
//   listed_tiles.hpp     lists of query tiles and key blocks instead of whole sequences
//   piece_tiles.hpp      tiles of the last round in pieces of their keys, which pieces.cuh puts together
#pragma once

#include "plugins/attention/common/hopper/consumer.cuh"
#include "plugins/attention/common/hopper/producer.cuh"

namespace fastvideo::hopper {

template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Launch: in clusters of kClusterOf<S, KeyBlocks>, S::kThreads threads and sizeof(SharedMemory<S>) bytes of dynamic
/// shared memory.
template <class S, class KeyBlocks>
__global__ void __launch_bounds__(S::kThreads, 1) attention_kernel(const __grid_constant__ Parameters<KeyBlocks> p) {
  extern __shared__ __align__(1024) unsigned char raw[];
  SharedMemory<S>& shared = *reinterpret_cast<SharedMemory<S>*>(raw);
  constexpr int kCluster = kClusterOf<S, KeyBlocks>;
  if (threadIdx.x == 0) shared.init_barriers(kCluster);
  shared.init_ones();
  __syncthreads();
  if constexpr (kCluster > 1) cluster_sync();

  // Broadcast, so that the compiler knows that whole warps take one branch.
  const int warpgroup = __shfl_sync(~0u, threadIdx.x / kWarpgroup, 0);
  if (warpgroup == 0) {
    give_registers<S::kProducerRegisters>();
    if constexpr (kCluster > 1) {
      if (threadIdx.x != 0) {  // waiting for the cluster here would delay the warp's one thread at work
        cluster_arrive();
        return;
      }
    }
    if (threadIdx.x == 0) {
      Producer<S, KeyBlocks> producer(p, shared);
      producer.run(ProducerWalk<S, KeyBlocks>(p.scheduler, p.key_blocks, blockIdx.x, producer_jobs(p, shared)));
    }
  } else {
    take_registers<S::kConsumerRegisters>();
    if (KeyBlocks::may_be_empty(p.key_blocks))
      for (int job = blockIdx.x; job < p.scheduler.jobs(); job += gridDim.x) {
        const auto tile = p.scheduler.tile(job);
        if (KeyBlocks::of(p.key_blocks, tile).count() == 0) store_nothing<S>(p, tile, warpgroup - 1);
      }
    Consumer<S, KeyBlocks> consumer(p, shared, warpgroup - 1);
    consumer.run(ConsumerWalk<S, KeyBlocks>(p.scheduler, p.key_blocks, blockIdx.x, consumer_jobs(p, shared)));
  }
  // Copies and signals of other blocks must still find this block's memory.
  if constexpr (kCluster > 1) cluster_sync();
}

}  // namespace fastvideo::hopper
