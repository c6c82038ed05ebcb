// The epilogue: a warpgroup's finished rows go from registers to device memory, with no stop in shared memory, so that
// the next tile's queries can be on their way there meanwhile.
#pragma once

#include <numbers>

#include "plugins/attention/common/hopper/online_softmax.cuh"
#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::hopper {

/// Transposes a 4 x 4 matrix; each of four neighbouring threads holds a row.
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

/// Multiplies the rows of an output, and its columns by the scales of their values, whose residual it adds.
template <class S, class KeyBlocks>
__device__ inline void dequantise(const Parameters<KeyBlocks>& p, QueryTile tile, Output<S>& output,
                                  const float (&factor)[2]) {
  const int heads = p.heads / p.heads_per_key_head, head = tile.head / p.heads_per_key_head;
  const int64_t first = static_cast<int64_t>(tile.batch * heads + head) * S::kHeadSize + 2 * (threadIdx.x % 4);
#pragma unroll
  for (int j = 0; j < S::kHeadSize / 8; ++j) {
    const float2 scale = __ldg(reinterpret_cast<const float2*>(p.scales.values + first + 8 * j));
    const float2 residual = __ldg(reinterpret_cast<const float2*>(p.scales.residual + first + 8 * j));
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      output[4 * j + 2 * r] = fmaf(output[4 * j + 2 * r], scale.x * factor[r], residual.x);
      output[4 * j + 2 * r + 1] = fmaf(output[4 * j + 2 * r + 1], scale.y * factor[r], residual.y);
    }
  }
}

/// Writes the 64 rows of a consumer, divided by their sums, for combine_kernel.
template <class S, class KeyBlocks>
__device__ inline void store_piece(const Parameters<KeyBlocks>& p, int slot, int consumer,
                                   const float (&log_sum_exp)[2], const Output<S>& output) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x % kWarpgroup / 32;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int64_t row =
        static_cast<int64_t>(slot) * S::kRows + consumer * kWarpgroupRows + 16 * warp + lane / 4 + 8 * r;
    auto* to = reinterpret_cast<float2*>(p.pieces.output + row * S::kHeadSize) + lane % 4;
#pragma unroll
    for (int j = 0; j < S::kHeadSize / 8; ++j) to[4 * j] = {output[4 * j + 2 * r], output[4 * j + 2 * r + 1]};
    if (lane % 4 == 0) p.pieces.log_sum_exp[row] = log_sum_exp[r];
  }
}

/// Writes the existing rows of the 64 rows of a consumer, divided by their sums. log_sum_exp: in powers of two.
template <class S, class KeyBlocks>
__device__ inline void store_rows(const Parameters<KeyBlocks>& p, typename KeyBlocks::Scheduler::Tile tile,
                                  int consumer, const float (&log_sum_exp)[2], const Output<S>& output) {
  using Element = typename S::Element;
  const int lane = threadIdx.x % 32, warp = threadIdx.x % kWarpgroup / 32;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int query = tile.first_query + consumer * kWarpgroupRows + 16 * warp + lane / 4 + 8 * r;
    const bool exists = query < p.scheduler.end_of(tile);
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
      p.log_sum_exp[tile.batch * p.log_sum_exp_batch + tile.head * p.log_sum_exp_head + query] =
          log_sum_exp[r] * std::numbers::ln2_v<float>;
  }
}

/// Divides the 64 rows of a consumer by the sums of their probabilities and writes them.
template <class S, class KeyBlocks>
__device__ inline void store_output(const Parameters<KeyBlocks>& p, typename KeyBlocks::Scheduler::Tile tile,
                                    int consumer, const SoftmaxState& state, Output<S>& output) {
  float sum[2], factor[2], log_sum_exp[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if constexpr (S::ValueProduct::kSumColumns > 0)
      sum[r] = output[S::kHeadSize / 2 + 2 * r];
    else
      sum[r] = join_sum(state.sum[r]);
    factor[r] = __fdividef(1.0F, sum[r]);
    log_sum_exp[r] = state.reference[r] + __log2f(sum[r]) - S::ValueProduct::kReferenceLog2;
  }
  if constexpr (S::ValueProduct::kScaled)
    dequantise<S>(p, tile, output, factor);
  else
    scale_rows(output, factor);
  if constexpr (KeyBlocks::Scheduler::kInPieces)
    store_piece<S>(p, tile.slot, consumer, log_sum_exp, output);
  else
    store_rows<S>(p, tile, consumer, log_sum_exp, output);
}

/// Writes the result of attention to no key at all: zeros, and a log-sum-exp of -inf.
template <class S, class KeyBlocks>
__device__ inline void store_nothing(const Parameters<KeyBlocks>& p, typename KeyBlocks::Scheduler::Tile tile,
                                     int consumer) {
  const int first = tile.first_query + consumer * kWarpgroupRows;
  constexpr int kChunks = S::kHeadSize / 8;
  for (int i = threadIdx.x % kWarpgroup; i < kWarpgroupRows * kChunks; i += kWarpgroup) {
    const int query = first + i / kChunks;
    if (query >= p.scheduler.end_of(tile)) return;
    auto* row = static_cast<typename S::Element*>(p.out) + tile.batch * p.out_batch + query * p.out_token +
                tile.head * p.out_head;
    reinterpret_cast<uint4*>(row)[i % kChunks] = uint4{0, 0, 0, 0};
    if (p.log_sum_exp != nullptr && i % kChunks == 0)
      p.log_sum_exp[tile.batch * p.log_sum_exp_batch + tile.head * p.log_sum_exp_head + query] = -INFINITY;
  }
}

}  // namespace fastvideo::hopper
