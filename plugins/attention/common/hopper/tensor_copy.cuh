// Bulk tensor copies (TMA): one thread asks for a box of a tensor, the copy engine copies the box to shared memory,
// swizzled, with zeros outside of the tensor, and reports its bytes to an mbarrier. PTX ISA 9.0, section 9.7.9.27.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "plugins/attention/common/hopper/barrier.cuh"

namespace fastvideo::hopper {

/// The start of a box in a tensor [batch, token, head, size] or [batch, size, head, token].
struct BoxStart {
  int column, row, head, batch;
};

/// How long the second-level cache should keep copied data: encodings of createpolicy.fractional.
constexpr uint64_t kEvictFirst = 0x12F0000000000000;
constexpr uint64_t kEvictLast = 0x14F0000000000000;

__device__ inline void prefetch_tensor_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// Copies the box of map that begins at `start` to shared memory.
__device__ inline void copy_box(void* to, const CUtensorMap& map, BoxStart start, Barrier& barrier, uint64_t cache) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
      " [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(start.column), "r"(start.row), "r"(start.head), "r"(start.batch),
      "l"(cache)
      : "memory");
}

/// The same into all blocks of the cluster that the mask names, at the same place, and to the barriers there.
__device__ inline void copy_box_to_cluster(void* to, const CUtensorMap& map, BoxStart start, Barrier& barrier,
                                           uint64_t cache, uint16_t mask) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint"
      " [%0], [%1, {%3, %4, %5, %6}], [%2], %7, %8;" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(start.column), "r"(start.row), "r"(start.head), "r"(start.batch),
      "h"(mask), "l"(cache)
      : "memory");
}

/// Copies contiguous bytes, a multiple of 16 from a multiple of 16.
__device__ inline void copy_bytes(void* to, const void* from, int bytes, Barrier& barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(&barrier))
               : "memory");
}

}  // namespace fastvideo::hopper
