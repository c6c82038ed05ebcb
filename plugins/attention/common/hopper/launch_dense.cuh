// How dense attention is launched: whole tiles, then the tiles of the last round in pieces.
#pragma once

#include "plugins/attention/common/hopper/launch.cuh"
#include "plugins/attention/common/hopper/pieces.cuh"

namespace fastvideo::hopper {

/// Device memory for the pieces of calls of up to so many keys, for call.pieces; 0: none is split.
template <class S>
size_t piece_bytes(int64_t keys, int blocks) {
  if (most_pieces(ceil_div(static_cast<int>(keys), S::kKeys)) < 2) return 0;
  return sizeof(float) * static_cast<size_t>(blocks) * S::kRows * (S::kHeadSize + 1);
}

/// As prepare_kernel, for what launch_dense launches.
template <class S>
int prepare_dense() {
  return std::min(prepare_kernel<S, DenseKeyBlocks<S::kKeys>>(),
                  prepare_kernel<typename S::OfPieces, PieceKeyBlocks<S::kKeys>>());
}

/// Enqueues a call whose operands and scales are in p. blocks: what prepare_dense returned. Throws std::runtime_error.
template <class S>
void launch_dense(Parameters<DenseKeyBlocks<S::kKeys>> p, const Call& c, int blocks, cudaStream_t stream) {
  p.key_blocks = {c.key_lengths, static_cast<int>(c.keys)};
  const int tiles = p.scheduler.tiles();
  const Split split = c.pieces == nullptr || c.key_lengths != nullptr
                          ? Split{tiles, 1}
                          : split_last_round(tiles, blocks, ceil_div(static_cast<int>(c.keys), S::kKeys));
  p.scheduler.most = split.whole;
  if (split.whole > 0) launch_kernel<S>(p, blocks, stream);
  if (split.pieces == 1) return;

  Parameters<PieceKeyBlocks<S::kKeys>> rest{p, {p.scheduler, split}, {static_cast<int>(c.keys), split.pieces}};
  rest.pieces.output = static_cast<float*>(c.pieces);
  rest.pieces.log_sum_exp = rest.pieces.output + static_cast<int64_t>(blocks) * S::kRows * S::kHeadSize;
  using Pieces = typename S::OfPieces;
  launch_kernel<Pieces>(rest, blocks, stream);
  combine_kernel<Pieces><<<combine_blocks<Pieces>(rest.scheduler), 32 * kCombineRows, 0, stream>>>(rest);
  check_cuda(cudaGetLastError(), "launching what combines pieces of attention");
}

}  // namespace fastvideo::hopper
