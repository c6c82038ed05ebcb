// Tiles in pieces of their keys. Blocks take tiles in rounds; the tiles left for the last round may keep only some
// blocks busy, for as long as a whole round takes. So the key blocks of these tiles are divided evenly among all
// blocks. pieces.cuh puts the results together.
#pragma once

#include <algorithm>
#include <climits>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// The overhead of pieces of `tiles` tiles, in key blocks: launches, moving the results, combining them. Measured: 13
/// us for 24 tiles of 128 rows, 25 us for 88 of 192.
constexpr int cost_of_pieces(int tiles) { return 6 + tiles / 8; }

/// Which tiles are split.
struct Split {
  int whole;   ///< tiles before these
  int shares;  ///< equal parts of all key blocks of the split tiles; 0: no tile is split
};

/// How to split `tiles` tiles for `blocks` blocks. Where each tile can be cut into equal pieces without leaving many
/// blocks idle, a share is a piece; otherwise, if pieces may have any length, a share may end in one tile and go on in
/// the next.
constexpr Split split_last_round(int tiles, int blocks, int key_blocks, int least_of_piece = 1) {
  const int rest = tiles % blocks;
  if (rest == 0 || key_blocks < least_of_piece) return {tiles, 0};
  const int pieces = std::min(blocks / rest, key_blocks / least_of_piece);
  const int of_piece = ceil_div(key_blocks, pieces);
  if (key_blocks > INT_MAX / blocks / blocks) return {tiles, 0};  // PieceScheduler counts in 32 bits
  const int of_share = least_of_piece > 1 ? key_blocks : ceil_div(rest * key_blocks, blocks) + 1;
  if (std::min(of_piece, of_share) + cost_of_pieces(rest) >= key_blocks) return {tiles, 0};
  return {tiles - rest, of_piece <= of_share ? rest * pieces : blocks};
}

/// A query tile with a piece of its key blocks, in the order of DenseKeyBlocks.
struct PieceTile : QueryTile {
  int slot;  ///< number of the piece among all of a launch
  int begin, end;
};

/// The pieces of all tiles that are not whole. A share lies in one tile or in two neighbours (there are fewer tiles
/// than shares): job i is share i's part of its first tile, job shares + i its part of the second, often empty.
struct PieceScheduler {
  using Tile = PieceTile;
  static constexpr bool kDrawn = false;
  static constexpr bool kInPieces = true;
  TileScheduler tiles;
  Split split;
  int key_blocks;

  FV_HOST_DEVICE int split_tiles() const { return tiles.tiles() - split.whole; }
  FV_HOST_DEVICE int jobs() const { return split.shares % split_tiles() == 0 ? split.shares : 2 * split.shares; }

  FV_HOST_DEVICE PieceTile tile(int job) const {
    const bool second = job >= split.shares;
    const int share = second ? job - split.shares : job;
    const int begin = begin_of(share), end = begin_of(share + 1);
    const int tile = begin / key_blocks + (second ? 1 : 0), of_tile = tile * key_blocks;
    const int from = begin > of_tile ? begin : end < of_tile ? end : of_tile;
    const int to = end < of_tile + key_blocks ? end : of_tile + key_blocks;
    return {tiles.tile(split.whole + tile), job, from - of_tile, to - of_tile};
  }
  FV_HOST_DEVICE int end_of(QueryTile) const { return tiles.queries; }

  /// The shares with a part of a split tile, counted from 0, are [first_share(tile), last_share(tile)].
  FV_HOST_DEVICE int first_share(int tile) const { return share_of(tile * key_blocks); }
  FV_HOST_DEVICE int last_share(int tile) const { return share_of((tile + 1) * key_blocks - 1); }
  /// The slot of a share's part of a tile.
  FV_HOST_DEVICE int slot(int tile, int share) const {
    return begin_of(share) >= tile * key_blocks ? share : split.shares + share;
  }

 private:
  FV_HOST_DEVICE int all() const { return split_tiles() * key_blocks; }
  FV_HOST_DEVICE int begin_of(int share) const { return share * all() / split.shares; }
  FV_HOST_DEVICE int share_of(int key_block) const { return ((key_block + 1) * split.shares - 1) / all(); }
};

/// As DenseKeyBlocks without key lengths.
template <int kWidth>
struct PieceKeyBlocks {
  struct Data {
    int key_length;
  };
  using Scheduler = PieceScheduler;
  static constexpr bool kOnlyFirstIsPartial = true;
  int keys, begin, end;  ///< blocks [begin, end), from the last to the first

  FV_HOST_DEVICE static PieceKeyBlocks of(const Data& data, PieceTile tile) {
    const int all = ceil_div(data.key_length, kWidth);
    return {data.key_length, all - tile.end, all - tile.begin};
  }
  FV_HOST_DEVICE static bool may_be_empty(const Data&) { return false; }
  FV_HOST_DEVICE int count() const { return end - begin; }
  FV_HOST_DEVICE KeyBlock at(int i) const {
    const int first = (end - 1 - i) * kWidth;
    return {first, keys - first < kWidth ? keys - first : kWidth};
  }
  FV_HOST_DEVICE bool clear_behind(KeyBlock) const { return false; }
};

}  // namespace fastvideo::hopper
