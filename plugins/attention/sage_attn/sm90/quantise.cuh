// From 16-bit q, k, v to what the quantised products take (SageAttention2, Zhang et al. 2024, sections 3.1 to 3.3):
//
//   statistics_kernel   mean of K and largest |V| of each channel, in parts of the tokens
//   join_kernel         the parts, one result for each channel
//   quantise_kernel     Q, and K less its mean, as integers with a scale for each group of rows; V as e4m3, transposed,
//                       with a scale for each channel
//   residual_kernel     what rounding V took from the mean of each channel
//
// K and V are read twice, Q once. Softmax does not see what is added to all scores of a row: K's mean may be left out.
// Weights sum to 1: adding the mean of V's rounding errors to the output repairs what they have in common, a fifth of
// the error that rounding V brings to even attention.
// Sums are added in a fixed order: the same input gives the same bits.
// Integers have no NaN: a NaN or an infinity goes into the scale of its group, and so into every result that reads it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cfloat>
#include <cstdint>
#include <type_traits>

#include "plugins/attention/common/hopper/larger.cuh"

namespace fastvideo::sage {

using hopper::larger;

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kBlocksOfAProcessor = 4;  ///< of quantise_kernel: what registers are spent on
constexpr int kBlockTokens = 128;       ///< that a block of quantise_kernel takes; the width of a key block
constexpr int kStatisticsTokens = 512;  ///< that a block of statistics_kernel takes
constexpr int kQueryBlock = 64;         ///< queries of one scale where scales are per block
constexpr float kLargestInt8 = 127;
/// The largest |V| of a channel becomes 320 of e4m3's 448: for normal values, rounding then errs least.
constexpr float kLargestStored = 320;

/// A 16-bit tensor [batch, token, head, size] in device memory; strides in elements, that of size 1.
struct TokenView {
  const void* data;
  int64_t batch_stride, token_stride, head_stride;
  int tokens, heads;
};

/// What the kernels read and write; see workspace.hpp for the sizes.
struct Quantisation {
  TokenView q, k, v;
  int8_t *q8, *k8;        ///< [batch, head, token, size]
  uint8_t* v8;            ///< [batch, head, size, token], tokens padded to whole key blocks, in the order of E4M3Values
  float* q_scales;        ///< [batch, head, group of 16, 8]
  float* k_scales;        ///< [batch, head, key block, 4]
  float* v_scales;        ///< [batch, head, size]
  float* k_mean;          ///< [batch, head, size]
  float* v_residual;      ///< [batch, head, size]: mean over the tokens of v less its rounded value
  float* residual_parts;  ///< [batch, head, key block, size]: sums of that, in steps
  float *k_parts, *v_parts;  ///< [batch, head, part, size]: sums of k, largest |v|
  int batch, parts, key_blocks, query_groups;
  bool smooth_k;   ///< whether K's mean is taken off
  bool per_block;  ///< one scale for 64 queries and one for 128 keys; otherwise one for each thread of the kernel
  bool quantise_v;
};

/// Eight neighbouring elements of a row as they lie in memory. Kernels keep these, not the floats: a third of the
/// registers, so that enough blocks are at work to keep the memory busy.
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

/// Makes the compiler convert again what it would otherwise keep converted.
__device__ inline void forget_floats(Eight& eight) {
  asm("" : "+r"(eight.x), "+r"(eight.y), "+r"(eight.z), "+r"(eight.w));
}

__device__ inline int64_t row_start(const TokenView& t, int batch, int token, int head) {
  return batch * t.batch_stride + token * t.token_stride + head * t.head_stride;
}

/// Grid: parts, heads of k, 2 x batch: the first half for k, the second for v.
template <class Element, int kSize>
__global__ void __launch_bounds__(kThreads) statistics_kernel(const __grid_constant__ Quantisation p) {
  constexpr int kRowThreads = kSize / 8, kRows = kThreads / kRowThreads;
  const bool of_values = blockIdx.z >= p.batch;
  const TokenView& t = of_values ? p.v : p.k;
  const int head = blockIdx.y, batch = of_values ? blockIdx.z - p.batch : blockIdx.z;
  const int column = threadIdx.x % kRowThreads, row = threadIdx.x / kRowThreads;
  const int first = blockIdx.x * kStatisticsTokens, end = min(first + kStatisticsTokens, t.tokens);
  float result[8] = {};
#pragma unroll 8
  for (int token = first + row; token < end; token += kRows) {
    float x[8];
    to_floats<Element>(x, load_eight(t.data, row_start(t, batch, token, head) + 8 * column));
#pragma unroll
    for (int i = 0; i < 8; ++i) result[i] = of_values ? larger(result[i], fabsf(x[i])) : result[i] + x[i];
  }
  __shared__ float rows[kRows][kSize + 4];
#pragma unroll
  for (int i = 0; i < 8; ++i) rows[row][8 * column + i] = result[i];
  __syncthreads();
  if (threadIdx.x >= kSize) return;
  float joined = rows[0][threadIdx.x];
  for (int r = 1; r < kRows; ++r)
    joined = of_values ? larger(joined, rows[r][threadIdx.x]) : joined + rows[r][threadIdx.x];
  float* parts = of_values ? p.v_parts : p.k_parts;
  parts[(static_cast<int64_t>(batch * t.heads + head) * p.parts + blockIdx.x) * kSize + threadIdx.x] = joined;
}

/// Grid: heads of k, batch. Threads: size.
template <int kSize>
__global__ void __launch_bounds__(kSize) join_kernel(const __grid_constant__ Quantisation p) {
  const int64_t head = static_cast<int64_t>(blockIdx.y) * p.k.heads + blockIdx.x;
  const float* k = p.k_parts + head * p.parts * kSize + threadIdx.x;
  const float* v = p.v_parts + head * p.parts * kSize + threadIdx.x;
  float sum = 0, largest = 0;
#pragma unroll 8
  for (int part = 0; part < p.parts; ++part) {
    sum += k[part * kSize];
    if (p.quantise_v) largest = larger(largest, v[part * kSize]);
  }
  p.k_mean[head * kSize + threadIdx.x] = p.smooth_k ? sum / static_cast<float>(p.k.tokens) : 0.0F;
  p.v_scales[head * kSize + threadIdx.x] = largest / kLargestStored;
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
/// product is rounded first, as on the CPU: one rounding less would part them at ties, which 16 bits bring about often.
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

template <class Element, int kSize>
__device__ inline void quantise_queries(const Quantisation& p, int block, int head, int batch) {
  using Rows = RowsOfWarp<kSize>;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = lane / Rows::kRowThreads, column = lane % Rows::kRowThreads;
  Eight rows[Rows::kSteps];
  float largest[Rows::kSteps];
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    const int token = block * kBlockTokens + Rows::query(step, warp, row);
    rows[step] = {};
    if (token < p.q.tokens) rows[step] = load_eight(p.q.data, row_start(p.q, batch, token, head) + 8 * column);
  }
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    float x[8];
    to_floats<Element>(x, rows[step]);
    largest[step] = 0;
#pragma unroll
    for (float value : x) largest[step] = larger(largest[step], fabsf(value));
    largest[step] = largest_of_lanes(largest[step], 2 * Rows::kRowThreads);  // a row and the one 8 below
    forget_floats(rows[step]);
  }
  if (p.per_block) {
    __shared__ float of_warps[kWarps][kBlockTokens / kQueryBlock];
    constexpr int kStepsOfBlock = Rows::kSteps * kQueryBlock / kBlockTokens;
#pragma unroll
    for (int half = 0; half < kBlockTokens / kQueryBlock; ++half) {
      float most = 0;
#pragma unroll
      for (int step = half * kStepsOfBlock; step < (half + 1) * kStepsOfBlock; ++step)
        most = larger(most, largest[step]);
      most = largest_of_lanes(most, 32);
      if (lane == 0) of_warps[warp][half] = most;
    }
    __syncthreads();
#pragma unroll
    for (int step = 0; step < Rows::kSteps; ++step) {
      largest[step] = 0;
      for (int w = 0; w < kWarps; ++w) largest[step] = larger(largest[step], of_warps[w][step / kStepsOfBlock]);
    }
  }
  const int64_t first_row = static_cast<int64_t>(batch * p.q.heads + head) * p.q.tokens;
  float* scales = p.q_scales + static_cast<int64_t>(batch * p.q.heads + head) * p.query_groups * 8;
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    const int token = block * kBlockTokens + Rows::query(step, warp, row);
    const float scale = largest[step] / kLargestInt8;
    float x[8];
    to_floats<Element>(x, rows[step]);
    if (token < p.q.tokens)
      *reinterpret_cast<uint2*>(p.q8 + (first_row + token) * kSize + 8 * column) = pack_int8(x, per_step(scale));
    // The last sixteen may lack queries; the attention kernel reads all their scales.
    if (column == 0 && token % 16 < 8 && token / 16 < p.query_groups) scales[token / 16 * 8 + token % 8] = scale;
  }
}

template <class Element, int kSize>
__device__ inline void quantise_keys(const Quantisation& p, int block, int head, int batch) {
  using Rows = RowsOfWarp<kSize>;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = lane / Rows::kRowThreads, column = lane % Rows::kRowThreads;
  const int64_t of_head = batch * p.k.heads + head;
  float mean[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) mean[i] = p.k_mean[of_head * kSize + 8 * column + i];
  const auto less_mean = [&](float(&x)[8], const Eight& row) {
    to_floats<Element>(x, row);
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] -= mean[i];
  };
  Eight rows[Rows::kSteps];
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    const int token = block * kBlockTokens + Rows::key(step, warp, row);
    rows[step] = {};
    if (token < p.k.tokens) rows[step] = load_eight(p.k.data, row_start(p.k, batch, token, head) + 8 * column);
  }
  float largest = 0;
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    float x[8];
    less_mean(x, rows[step]);
    forget_floats(rows[step]);
    if (block * kBlockTokens + Rows::key(step, warp, row) >= p.k.tokens) continue;
#pragma unroll
    for (float value : x) largest = larger(largest, fabsf(value));
  }
  __shared__ float of_warps[kWarps];
  largest = largest_of_lanes(largest, 32);
  if (lane == 0) of_warps[warp] = largest;
  __syncthreads();
  largest = larger(of_warps[warp], of_warps[(warp + 4) % kWarps]);
  if (p.per_block)
    for (float of_warp : of_warps) largest = larger(largest, of_warp);
  const float scale = largest / kLargestInt8, steps = per_step(scale);
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    const int token = block * kBlockTokens + Rows::key(step, warp, row);
    float x[8];
    less_mean(x, rows[step]);
    if (token < p.k.tokens)
      *reinterpret_cast<uint2*>(p.k8 + (of_head * p.k.tokens + token) * kSize + 8 * column) = pack_int8(x, steps);
  }
  if (lane == 0 && warp < 4) p.k_scales[(of_head * p.key_blocks + block) * 4 + warp] = scale;
}

/// Two values as e4m3, the first in the low byte.
__device__ inline uint16_t pack_e4m3(float low, float high) {
  uint16_t packed;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(high), "f"(low));
  return packed;
}
__device__ inline float2 unpack_e4m3(uint16_t packed) {
  uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(packed));
  return __half22float2(reinterpret_cast<const __half2&>(halves));
}

// A thread takes the four tokens whose bytes lie together, eight channels of them; through shared memory the rows of
// channels come out whole. Words of a row are swizzled so that neither way has bank conflicts.
template <class Element, int kSize>
__device__ inline void quantise_values(const Quantisation& p, int block, int head, int batch) {
  constexpr int kRowThreads = kSize / 8, kGroups = kThreads / kRowThreads, kWords = kBlockTokens / 4;
  __shared__ uint32_t tile[kSize][kWords];
  const int column = threadIdx.x % kRowThreads;
  const int64_t of_head = batch * p.v.heads + head;
  float steps[8], residual[8] = {};
#pragma unroll
  for (int i = 0; i < 8; ++i) steps[i] = per_step(p.v_scales[of_head * kSize + 8 * column + i]);
  const auto swizzled = [](int channel, int word) { return word ^ channel / 8 * (256 / kSize) % kWords; };
#pragma unroll 1
  for (int group = threadIdx.x / kRowThreads; group < kWords; group += kGroups) {
    uint32_t rows[4][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = block * kBlockTokens + group / 4 * 16 + i / 2 * 8 + group % 4 * 2 + i % 2;
      Eight row{};
      if (token < p.v.tokens) row = load_eight(p.v.data, row_start(p.v, batch, token, head) + 8 * column);
      rows[i][0] = row.x, rows[i][1] = row.y, rows[i][2] = row.z, rows[i][3] = row.w;
    }
#pragma unroll
    for (int two = 0; two < 4; ++two) {  // neighbouring channels
      uint32_t words[2] = {};
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {  // of tokens
        const float2 first = to_floats<Element>(rows[2 * pair][two]),
                     second = to_floats<Element>(rows[2 * pair + 1][two]);
        const float x[2][2] = {{first.x, second.x}, {first.y, second.y}};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const float low = x[i][0] * steps[2 * two + i], high = x[i][1] * steps[2 * two + i];
          const uint16_t packed = pack_e4m3(low, high);
          const float2 rounded = unpack_e4m3(packed);
          residual[2 * two + i] += (low - rounded.x) + (high - rounded.y);
          words[i] |= static_cast<uint32_t>(packed) << 16 * pair;
        }
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int channel = 8 * column + 2 * two + i;
        tile[channel][swizzled(channel, group)] = words[i];
      }
    }
  }
  __shared__ float residuals[kGroups][kSize];
#pragma unroll
  for (int i = 0; i < 8; ++i) residuals[threadIdx.x / kRowThreads][8 * column + i] = residual[i];
  __syncthreads();
  if (threadIdx.x < kSize) {
    float sum = 0;
    for (int group = 0; group < kGroups; ++group) sum += residuals[group][threadIdx.x];
    p.residual_parts[(of_head * p.key_blocks + block) * kSize + threadIdx.x] = sum;
  }
  for (int i = threadIdx.x; i < kSize * kWords; i += kThreads) {
    const int channel = i / kWords, word = i % kWords;
    reinterpret_cast<uint32_t*>(p.v8)[((of_head * kSize + channel) * p.key_blocks + block) * kWords + word] =
        tile[channel][swizzled(channel, word)];
  }
}

/// Grid: blocks of 128 tokens, heads of q + 2 x heads of k, batch.
template <class Element, int kSize>
__global__ void __launch_bounds__(kThreads, kBlocksOfAProcessor)
    quantise_kernel(const __grid_constant__ Quantisation p) {
  const int block = blockIdx.x, batch = blockIdx.z;
  int head = blockIdx.y;
  if (head < p.q.heads) {
    if (block * kBlockTokens < p.q.tokens) quantise_queries<Element, kSize>(p, block, head, batch);
    return;
  }
  if (block >= p.key_blocks) return;
  head -= p.q.heads;
  if (head < p.k.heads)
    quantise_keys<Element, kSize>(p, block, head, batch);
  else if (p.quantise_v)
    quantise_values<Element, kSize>(p, block, head - p.k.heads, batch);
}

constexpr int kResidualThreads = 1024;

/// Grid: heads of k, batch.
template <int kSize>
__global__ void __launch_bounds__(kResidualThreads) residual_kernel(const __grid_constant__ Quantisation p) {
  constexpr int kSlices = kResidualThreads / kSize;
  const int64_t head = static_cast<int64_t>(blockIdx.y) * p.k.heads + blockIdx.x;
  const int channel = threadIdx.x % kSize, slice = threadIdx.x / kSize;
  const float* parts = p.residual_parts + head * p.key_blocks * kSize + channel;
  float sum = 0;
#pragma unroll 8
  for (int block = slice; block < p.key_blocks; block += kSlices) sum += parts[static_cast<int64_t>(block) * kSize];
  __shared__ float of_slices[kSlices][kSize];
  of_slices[slice][channel] = sum;
  __syncthreads();
  if (slice > 0) return;
  for (int other = 1; other < kSlices; ++other) sum += of_slices[other][channel];
  const int64_t at = head * kSize + channel;
  p.v_residual[at] = sum * p.v_scales[at] / static_cast<float>(p.v.tokens);
}

}  // namespace fastvideo::sage
