// The epilogue: a warpgroup's finished rows go from registers to device memory, with no stop in shared memory, so that
// the next tile's queries can be on their way there meanwhile.
#pragma once

#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::hopper {

/// Transposes a 4 x 4 matrix of which each of four neighbouring threads holds a row.
__device__ inline void transpose_in_quad(uint32_t (&x)[4]) {
  const bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t other = __shfl_xor_sync(~0u, odd ? x[i] : x[i + 1], 1);
    (odd ? x[i] : x[i + 1]) = other;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t other = __shfl_xor_sync(~0u, upper ? x[i] : x[i + 2], 2);
    (upper ? x[i] : x[i + 2]) = other;
  }
}

template <class Element>
__device__ inline uint32_t pack_pair(float low, float high) {
  uint32_t packed;
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// Writes 64 rows, those that exist. output is already divided by its sums; first_query is the warpgroup's.
template <class S, class KeyBlocks>
__device__ inline void store_output(const Parameters<KeyBlocks>& p, QueryTile tile, int first_query,
                                    const Output<S>& output, const float (&log_sum_exp)[2]) {
  using Element = typename S::Element;
  const int lane = threadIdx.x % 32, warp = threadIdx.x % kWarpgroup / 32;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int query = first_query + 16 * warp + lane / 4 + 8 * r;
    const bool exists = query < p.scheduler.queries;
    Element* row =
        static_cast<Element*>(p.out) + tile.batch * p.out_batch + query * p.out_token + tile.head * p.out_head;
    // A quad holds 8 columns as 4 pairs; of four times 8 columns each thread gets 8 whole, and writes 16 bytes.
#pragma unroll
    for (int group = 0; group < S::kHeadSize / 32; ++group) {
      uint32_t pairs[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = 4 * (4 * group + i) + 2 * r;
        pairs[i] = pack_pair<Element>(output[at], output[at + 1]);
      }
      transpose_in_quad(pairs);
      if (exists)
        *reinterpret_cast<uint4*>(row + 32 * group + 8 * (lane % 4)) = {pairs[0], pairs[1], pairs[2], pairs[3]};
    }
    if (p.log_sum_exp != nullptr && exists && lane % 4 == 0)
      p.log_sum_exp[tile.batch * p.log_sum_exp_batch + tile.head * p.log_sum_exp_head + query] = log_sum_exp[r];
  }
}

}  // namespace fastvideo::hopper
