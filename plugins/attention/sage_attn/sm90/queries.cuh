// Queries as integers, with or without subtracting the mean of their 64.
#pragma once

#include "plugins/attention/sage_attn/sm90/rounding.cuh"

namespace fastvideo::sage {

/// A block's queries as its threads hold them, by steps; queries that do not exist are 0.
template <int kSize>
using QueryRows = Eight[RowsOfWarp<kSize>::kSteps];

/// The mean over the queries of each half of a block, for each channel, into means and p.q_mean. All threads together.
template <class Element, int kSize>
__device__ inline void take_query_means(float (&means)[2][kSize], const QueryRows<kSize>& rows, const Quantisation& p,
                                        int block, int head, int batch) {
  using Rows = RowsOfWarp<kSize>;
  constexpr int kSums = kThreads / Rows::kRowThreads;  // of a channel
  __shared__ float sums[kSums][kSize + 4];
  const int of_sum = threadIdx.x / Rows::kRowThreads, column = threadIdx.x % Rows::kRowThreads;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum[8] = {};
#pragma unroll
    for (int step = half * Rows::kSteps / 2; step < (half + 1) * Rows::kSteps / 2; ++step) {
      float x[8];
      to_floats<Element>(x, rows[step]);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += x[i];
    }
    __syncthreads();  // the sums of the other half are read
#pragma unroll
    for (int i = 0; i < 8; ++i) sums[of_sum][8 * column + i] = sum[i];
    __syncthreads();
    const int query_block = block * 2 + half;
    if (threadIdx.x >= kSize || query_block >= p.query_blocks) continue;
    float mean = 0;
    for (int i = 0; i < kSums; ++i) mean += sums[i][threadIdx.x];
    mean /= static_cast<float>(min(kQueryBlock, p.q.tokens - query_block * kQueryBlock));
    means[half][threadIdx.x] = mean;
    p.q_mean[((static_cast<int64_t>(batch) * p.q.heads + head) * p.query_blocks + query_block) * kSize + threadIdx.x] =
        mean;
  }
  __syncthreads();
}

/// Quantises a block of 128 queries. kSmooth: less the mean of their 64.
template <class Element, int kSize, bool kSmooth>
__device__ inline void quantise_queries(const Quantisation& p, int block, int head, int batch) {
  using Rows = RowsOfWarp<kSize>;
  constexpr int kStepsOfHalf = Rows::kSteps * kQueryBlock / kBlockTokens;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = lane / Rows::kRowThreads, column = lane % Rows::kRowThreads;
  const auto token_of = [&](int step) { return block * kBlockTokens + Rows::query(step, warp, row); };
  QueryRows<kSize> rows;
  float largest[Rows::kSteps];
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    rows[step] = {};
    if (token_of(step) < p.q.tokens)
      rows[step] = load_eight(p.q.data, row_start(p.q, batch, token_of(step), head) + 8 * column);
  }
  __shared__ float means[2][kSmooth ? kSize : 1];
  if constexpr (kSmooth) take_query_means<Element, kSize>(means, rows, p, block, head, batch);
  const auto numbers = [&](float(&x)[8], int step) {
    to_floats<Element>(x, rows[step]);
    if constexpr (kSmooth) {
#pragma unroll
      for (int i = 0; i < 8; ++i) x[i] -= means[step / kStepsOfHalf][8 * column + i];
    }
  };
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    float x[8];
    numbers(x, step);
    largest[step] = 0;
    if (!kSmooth || token_of(step) < p.q.tokens) {  // queries that do not exist are 0, also without the mean
#pragma unroll
      for (float value : x) largest[step] = larger(largest[step], fabsf(value));
    }
    largest[step] = largest_of_lanes(largest[step], 2 * Rows::kRowThreads);  // a row and the one 8 below
    forget_floats(rows[step]);
  }
  if (p.per_block) {
    __shared__ float of_warps[kWarps][kBlockTokens / kQueryBlock];
#pragma unroll
    for (int half = 0; half < kBlockTokens / kQueryBlock; ++half) {
      float most = 0;
#pragma unroll
      for (int step = half * kStepsOfHalf; step < (half + 1) * kStepsOfHalf; ++step) most = larger(most, largest[step]);
      most = largest_of_lanes(most, 32);
      if (lane == 0) of_warps[warp][half] = most;
    }
    __syncthreads();
#pragma unroll
    for (int step = 0; step < Rows::kSteps; ++step) {
      largest[step] = 0;
      for (int w = 0; w < kWarps; ++w) largest[step] = larger(largest[step], of_warps[w][step / kStepsOfHalf]);
    }
  }
  const int64_t first_row = static_cast<int64_t>(batch * p.q.heads + head) * p.q.tokens;
  float* scales = p.q_scales + static_cast<int64_t>(batch * p.q.heads + head) * p.query_groups * 8;
#pragma unroll
  for (int step = 0; step < Rows::kSteps; ++step) {
    const int token = token_of(step);
    const float scale = largest[step] / kLargestInt8;
    float x[8];
    numbers(x, step);
    if (token < p.q.tokens)
      *reinterpret_cast<uint2*>(p.q8 + (first_row + token) * kSize + 8 * column) = pack_int8(x, per_step(scale));
    // The last sixteen may lack queries; the attention kernel reads all their scales.
    if (column == 0 && token % 16 < 8 && token / 16 < p.query_groups) scales[token / 16 * 8 + token % 8] = scale;
  }
}

/// Grid: blocks of 128 queries, heads, batch.
template <class Element, int kSize>
__global__ void __launch_bounds__(kThreads, kBlocksOfAProcessor)
    smooth_queries_kernel(const __grid_constant__ Quantisation p) {
  quantise_queries<Element, kSize, true>(p, blockIdx.x, blockIdx.y, blockIdx.z);
}

}  // namespace fastvideo::sage
