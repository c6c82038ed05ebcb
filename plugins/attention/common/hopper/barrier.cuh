// Barriers of Hopper: mbarriers in shared memory, which count arrivals and bytes of bulk copies, and named barriers of
// a block. PTX ISA 9.0, section 9.7.13.15 (mbarrier).
#pragma once

#include <cstdint>

namespace fastvideo::hopper {

/// An address as PTX instructions on shared memory take it.
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

  /// Whether the phase of that parity is complete; hesitates a little before it says no.
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

  /// Arrives, and makes the phase wait for that many bytes of bulk copies.
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

/// A named barrier: waits until `threads` threads have arrived, those that wait among them.
__device__ inline void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

}  // namespace fastvideo::hopper
