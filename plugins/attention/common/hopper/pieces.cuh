// Puts the results of pieces together: attention over a union of keys is the mean of the attentions over its parts,
// weighted by their sums of exponentials (as FlashAttention's split along the keys, Dao 2023).
#pragma once

#include <numbers>

#include "plugins/attention/common/hopper/online_softmax.cuh"
#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/piece_tiles.hpp"

namespace fastvideo::hopper {

constexpr int kCombineRows = 8;  ///< of a block of combine_kernel: a warp for each

/// Grid: tiles that were split x rows of a tile / kCombineRows.
template <class S>
__global__ void __launch_bounds__(32 * kCombineRows)
    combine_kernel(const __grid_constant__ Parameters<PieceKeyBlocks<S::kKeys>> p) {
  constexpr int kColumns = S::kHeadSize / 32;  // of a lane
  using Columns = std::conditional_t<kColumns == 4, float4, float2>;
  const int lane = threadIdx.x % 32, row = blockIdx.x % (S::kRows / kCombineRows) * kCombineRows + threadIdx.x / 32;
  const int split_tile = blockIdx.x / (S::kRows / kCombineRows);
  const QueryTile tile = p.scheduler.tiles.tile(p.scheduler.split.whole + split_tile);
  const int query = tile.first_query + row;
  const int first = p.scheduler.first_share(split_tile), last = p.scheduler.last_share(split_tile);
  if (query >= p.scheduler.end_of(tile)) return;
  const int first_slot = p.scheduler.slot(split_tile, first);  // for other pieces the slot is the share's number
  const auto at = [&](int share) { return static_cast<int64_t>(share == first ? first_slot : share) * S::kRows + row; };
  float largest = -INFINITY;
  for (int share = first; share <= last; ++share) largest = fmaxf(largest, p.pieces.log_sum_exp[at(share)]);
  float sum = 0, result[kColumns] = {};
  for (int share = first; share <= last; ++share) {
    const float weight = exp2_fast(p.pieces.log_sum_exp[at(share)] - largest);
    if (weight == 0) continue;  // a piece without a finite score has no number for an output
    sum += weight;
    const Columns columns = reinterpret_cast<const Columns*>(p.pieces.output + at(share) * S::kHeadSize)[lane];
#pragma unroll
    for (int i = 0; i < kColumns; ++i) result[i] += weight * reinterpret_cast<const float*>(&columns)[i];
  }
  auto* out = static_cast<typename S::Element*>(p.out) + tile.batch * p.out_batch + query * p.out_token +
              tile.head * p.out_head + lane * kColumns;
  uint32_t packed[kColumns / 2];
#pragma unroll
  for (int i = 0; i < kColumns / 2; ++i)
    packed[i] = pack_pair<typename S::Element>(result[2 * i] / sum, result[2 * i + 1] / sum);
  if constexpr (kColumns == 4)
    *reinterpret_cast<uint2*>(out) = {packed[0], packed[1]};
  else
    *reinterpret_cast<uint32_t*>(out) = packed[0];
  if (p.log_sum_exp != nullptr && lane == 0)
    p.log_sum_exp[tile.batch * p.log_sum_exp_batch + tile.head * p.log_sum_exp_head + query] =
        (largest + __log2f(sum)) * std::numbers::ln2_v<float>;
}

/// Blocks of combine_kernel's grid.
template <class S>
int combine_blocks(const PieceScheduler& scheduler) {
  return scheduler.split_tiles() * (S::kRows / kCombineRows);
}

}  // namespace fastvideo::hopper
