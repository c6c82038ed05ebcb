// How dense attention is launched: whole tiles, then the tiles of the last round in pieces.
#pragma once

#include "plugins/attention/common/hopper/launch.cuh"
#include "plugins/attention/common/hopper/pieces.cuh"

namespace fastvideo::hopper {

/// Least key blocks of a piece in a kernel that skips: shorter pieces would leave out few blocks.
constexpr int kLeastThatSkips = 8;

/// Device memory that call.pieces needs for calls of up to `keys` keys; 0: no tile is split.
template <class S>
size_t piece_bytes(int64_t keys, int blocks) {
  if (ceil_div(static_cast<int>(keys), S::kKeys) <= cost_of_pieces(1)) return 0;
  return 2 * sizeof(float) * static_cast<size_t>(blocks) * S::kRows * (S::kHeadSize + 1);
}

/// Calls visit with a shape for each width of S's first key blocks, rising, until it says that it is done.
template <class S, class Visit>
bool visit_long(Visit visit) {
  return [&]<int... kWidths>(std::integer_sequence<int, kWidths...>) {
    return (visit(std::type_identity<LongTiles<S, kWidths>>()) || ...);
  }
  (typename S::FirstWidths());
}

/// Enqueues the kernel for long tiles with the narrowest sufficient first key block, if there is one.
template <class S>
bool launch_long(const Parameters<DenseKeyBlocks<S::kKeys>>& p, int keys, int blocks, cudaStream_t stream) {
  const int whole = ceil_div(keys, S::kKeys) - 1, of_first = keys - whole * S::kKeys;
  return whole > 0 && visit_long<S>([&]<class Long>(std::type_identity<Long>) {
           if (of_first > Long::kFirst) return false;
           launch_kernel<Long>(p, blocks, stream);
           return true;
         });
}

/// As prepare_kernel, for the kernels of launch_dense.
template <class S>
int prepare_dense() {
  int blocks = std::min(prepare_kernel<S, DenseKeyBlocks<S::kKeys>>(),
                        prepare_kernel<typename S::OfPieces, PieceKeyBlocks<S::kKeys>>());
  visit_long<S>([&]<class Long>(std::type_identity<Long>) {
    blocks = std::min(blocks, prepare_kernel<Long, DenseKeyBlocks<S::kKeys>>());
    return false;
  });
  return blocks;
}

/// Enqueues a call whose operands and scales are in p. blocks: the result of prepare_dense. Throws std::runtime_error.
template <class S>
void launch_dense(Parameters<DenseKeyBlocks<S::kKeys>> p, const Call& c, int blocks, cudaStream_t stream) {
  const int keys = static_cast<int>(c.keys);
  p.key_blocks = {c.key_lengths, keys};
  const int tiles = p.scheduler.tiles();
  const Split split = c.pieces == nullptr || c.key_lengths != nullptr
                          ? Split{tiles, 0}
                          : split_last_round(tiles, blocks, ceil_div(keys, S::kKeys), S::kSkips ? kLeastThatSkips : 1);
  p.scheduler.most = split.whole;
  if (split.whole > 0 && (c.key_lengths != nullptr || !launch_long<S>(p, keys, blocks, stream)))
    launch_kernel<S>(p, blocks, stream);
  if (split.shares == 0) return;

  Parameters<PieceKeyBlocks<S::kKeys>> rest{p, {p.scheduler, split, ceil_div(keys, S::kKeys)}, {keys}};
  rest.pieces.output = static_cast<float*>(c.pieces);
  rest.pieces.log_sum_exp = rest.pieces.output + int64_t{2} * blocks * S::kRows * S::kHeadSize;
  using Pieces = typename S::OfPieces;
  launch_kernel<Pieces>(rest, blocks, stream);
  combine_kernel<Pieces><<<combine_blocks<Pieces>(rest.scheduler), 32 * kCombineRows, 0, stream>>>(rest);
  check_cuda(cudaGetLastError(), "launching what combines pieces of attention");
}

}  // namespace fastvideo::hopper
