// From 16-bit q, k, v to the operands of the quantised products (SageAttention2, Zhang et al. 2024, sections 3.1 to
// 3.3):
//
//   statistics_kernel   mean of K and largest |V| of each channel, in parts of the tokens
//   join_kernel         the parts, one result for each channel
//   quantise_kernel     Q, and K less its mean, as integers with a scale for each group of rows; V as e4m3, transposed,
//                       with a scale for each channel
//   residual_kernel     what rounding V took from the mean of each channel
//
// K and V are read twice, Q once. Softmax does not change if all scores of a row are shifted alike: K's mean may be
// subtracted. Weights sum to 1: adding the mean of V's rounding errors to the output corrects the part that they have
// in common, a fifth of the error that rounding V causes in even attention. Sums are added in a fixed order: the same
// input gives the same bits. Integers have no NaN: a NaN or an infinity goes into the scale of its group, and so into
// every result that reads it.
#pragma once

#include "plugins/attention/sage_attn/sm90/queries.cuh"

namespace fastvideo::sage {

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

/// Grid: blocks of 128 tokens, q_heads + 2 x heads of k, batch. q_heads: of q, or 0 to leave it out.
template <class Element, int kSize>
__global__ void __launch_bounds__(kThreads, kBlocksOfAProcessor)
    quantise_kernel(const __grid_constant__ Quantisation p, int q_heads) {
  const int block = blockIdx.x, batch = blockIdx.z;
  int head = blockIdx.y;
  if (head < q_heads) {
    if (block * kBlockTokens < p.q.tokens) quantise_queries<Element, kSize, false>(p, block, head, batch);
    return;
  }
  if (block >= p.key_blocks) return;
  head -= q_heads;
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
