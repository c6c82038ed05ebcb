// Barriers of Hopper: mbarriers in shared memory, which count arrivals and bytes of bulk copies, and named barriers of
// a block. PTX ISA 9.0, section 9.7.13.15 (mbarrier).
#pragma once

#include <cstdint>

namespace fastvideo::hopper {

/// An address in the form that PTX instructions on shared memory take.
__device__ inline uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

/// An mbarrier. A phase is complete when all its arrivals and bytes have come in; phases alternate between parity 0, 1.
class Barrier {
 public:
  /// One thread, before any use; then fence_barrier_init() and a barrier of the block.
  __device__ void init(int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(arrivals));
  }

  /// Waits until the phase of that parity is complete. A fresh barrier counts phase 1 as complete.
  __device__ void wait(uint32_t parity) {
    while (!try_wait(parity)) {
    }
  }

  /// Whether the phase of that parity is complete; waits a little before it returns false.
  __device__ bool try_wait(uint32_t parity) {
    uint32_t done;
    asm volatile(
        "{\n\t.reg .pred p;\n\t"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, p;\n\t}"
        : "=r"(done)
        : "r"(shared_address(this)), "r"(parity)
        : "memory");
    return done != 0;
  }

  __device__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
  }

  /// Arrives at the barrier at the same address in another block of the cluster.
  __device__ void arrive_at(uint32_t rank) {
    asm volatile(
        "{\n\t.reg .b32 there;\n\t"
        "mapa.shared::cluster.u32 there, %0, %1;\n\t"
        "mbarrier.arrive.shared::cluster.b64 _, [there];\n\t}" ::"r"(shared_address(this)),
        "r"(rank)
        : "memory");
  }

  /// Arrives, and makes the phase wait for `bytes` bytes of bulk copies.
  __device__ void arrive_and_expect(int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)), "r"(bytes)
                 : "memory");
  }

 private:
  uint64_t state_;
};

/// Makes initialised barriers visible to the copy engine.
__device__ inline void fence_barrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

/// Orders this thread's ordinary writes to shared memory before later reads by the tensor cores and the copy engine.
__device__ inline void fence_for_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// This block's number in its cluster.
__device__ inline uint32_t rank_in_cluster() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

/// A barrier of all threads of a cluster's blocks, and an arrival at it without a wait, for threads that end.
__device__ inline void cluster_arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }
__device__ inline void cluster_sync() {
  cluster_arrive();
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

/// A named barrier: waits until `threads` threads have arrived, those that wait among them.
__device__ inline void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// The same as a sync, and whether all of the threads say yes.
__device__ inline bool named_barrier_all(bool yes, int id, int threads) {
  uint32_t all;
  asm volatile(
      "{\n\t.reg .pred p, q;\n\t"
      "setp.ne.u32 p, %1, 0;\n\t"
      "bar.red.and.pred q, %2, %3, p;\n\t"
      "selp.u32 %0, 1, 0, q;\n\t}"
      : "=r"(all)
      : "r"(yes ? 1 : 0), "r"(id), "r"(threads)
      : "memory");
  return all != 0;
}

}  // namespace fastvideo::hopper
