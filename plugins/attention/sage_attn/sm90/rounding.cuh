// How the kernels of the preparation read rows and round them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cfloat>
#include <cstdint>
#include <type_traits>

#include "plugins/attention/common/hopper/larger.cuh"
#include "plugins/attention/sage_attn/sm90/operands.hpp"

namespace fastvideo::sage {

using hopper::larger;

/// Eight neighbouring elements of a row as in memory. Kernels keep these, not the floats: a third of the registers, so
/// that enough blocks are at work to keep the memory busy.
using Eight = uint4;

__device__ inline Eight load_eight(const void* data, int64_t element) {
  return __ldg(reinterpret_cast<const Eight*>(static_cast<const uint16_t*>(data) + element));
}

template <class Element>
__device__ inline float2 to_floats(uint32_t two) {
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    return __bfloat1622float2(reinterpret_cast<const __nv_bfloat162&>(two));
  else
    return __half22float2(reinterpret_cast<const __half2&>(two));
}

template <class Element>
__device__ inline void to_floats(float (&x)[8], const Eight& eight) {
  const uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 two = to_floats<Element>(words[i]);
    x[2 * i] = two.x;
    x[2 * i + 1] = two.y;
  }
}

/// Makes the compiler convert elements again instead of keeping them converted in registers.
__device__ inline void forget_floats(Eight& eight) {
  asm("" : "+r"(eight.x), "+r"(eight.y), "+r"(eight.z), "+r"(eight.w));
}

__device__ inline int64_t row_start(const TokenView& t, int batch, int token, int head) {
  return batch * t.batch_stride + token * t.token_stride + head * t.head_stride;
}

/// The rows of a block of quantise_kernel that a warp holds, so that they share a scale of a thread of the attention
/// kernel: queries g and g + 8 of 16, or keys 2 c and 2 c + 1 of eight. kRows rows of a warp lie in it side by side.
template <int kSize>
struct RowsOfWarp {
  static constexpr int kRowThreads = kSize / 8, kRows = 32 / kRowThreads;
  static constexpr int kSteps = kBlockTokens / (kWarps * kRows);

  __device__ static int query(int step, int warp, int row) { return (kRows * step + row) * 8 + warp; }
  __device__ static int key(int step, int warp, int row) {
    const int pair = kRows / 2 * step * 2 + warp / 4 + row / 2 * 2;  // of groups of eight rows
    return pair * 8 + warp % 4 * 2 + row % 2;
  }
};

__device__ inline float largest_of_lanes(float x, int lanes) {
  for (int offset = 1; offset < lanes; offset *= 2) x = larger(x, __shfl_xor_sync(~0u, x, offset));
  return x;
}

/// Rounds numbers of at most 127 steps to integers of 8 bits: 1.5 * 2^23 more, a float's low bits are the integer. The
/// product is rounded first, as on the CPU: one rounding less would give other results at ties, which are frequent with
/// 16-bit inputs.
__device__ inline uint2 pack_int8(const float (&x)[8], float per_step) {
  constexpr float kMagic = 12582912.0F;
  uint32_t bits[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) bits[i] = __float_as_uint(__fadd_rn(__fmul_rn(x[i], per_step), kMagic));
  const auto low_bytes = [](const uint32_t* of) {
    return __byte_perm(__byte_perm(of[0], of[1], 0x0040), __byte_perm(of[2], of[3], 0x0040), 0x5410);
  };
  return {low_bytes(bits), low_bytes(bits + 4)};
}

/// Steps in a unit; 0 for a scale that is 0, NaN, infinite or too small to be inverted.
__device__ inline float per_step(float scale) { return scale >= FLT_MIN ? 1 / scale : 0.0F; }

}  // namespace fastvideo::sage
