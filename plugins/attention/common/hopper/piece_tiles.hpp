// Tiles in pieces of their keys. Blocks take tiles in rounds; what is left for the last round may keep only some of
// them busy, for as long as all the others were. So these tiles are split into jobs that see a piece of their keys
// each, so many that all blocks have one. pieces.cuh puts their results together.
#pragma once

#include <algorithm>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Key blocks that a piece has at least: below, what it costs to combine is no longer small.
constexpr int kLeastOfPiece = 8;

/// Into how many pieces so many key blocks can be split; below 2: not at all.
constexpr int most_pieces(int key_blocks) { return key_blocks / kLeastOfPiece; }

/// Which tiles are split.
struct Split {
  int whole;   ///< tiles before these
  int pieces;  ///< of each of these; 1: none is split
};

/// How to split so many tiles for so many blocks: never into more pieces than blocks.
constexpr Split split_last_round(int tiles, int blocks, int key_blocks) {
  const int rest = tiles % blocks;
  const int pieces = rest == 0 ? 1 : std::min(blocks / rest, most_pieces(key_blocks));
  return pieces < 2 ? Split{tiles, 1} : Split{tiles - rest, pieces};
}

/// A query tile with a piece of its keys.
struct PieceTile : QueryTile {
  int slot;  ///< number of the piece among all of a launch
};

/// The pieces of all tiles that are not whole.
struct PieceScheduler {
  using Tile = PieceTile;
  static constexpr bool kDrawn = false;
  static constexpr bool kInPieces = true;
  TileScheduler tiles;
  Split split;

  FV_HOST_DEVICE int jobs() const { return (tiles.tiles() - split.whole) * split.pieces; }
  FV_HOST_DEVICE PieceTile tile(int job) const { return {tiles.tile(split.whole + job / split.pieces), job}; }
  FV_HOST_DEVICE int end_of(QueryTile) const { return tiles.queries; }
};

/// As DenseKeyBlocks without key lengths; the first piece has the last blocks.
template <int kWidth>
struct PieceKeyBlocks {
  struct Data {
    int key_length, pieces;  ///< at most as many pieces as there are blocks
  };
  using Scheduler = PieceScheduler;
  static constexpr bool kOnlyFirstIsPartial = true;
  int keys, begin, end;  ///< blocks [begin, end), from the last to the first

  FV_HOST_DEVICE static PieceKeyBlocks of(const Data& data, PieceTile tile) {
    const int all = ceil_div(data.key_length, kWidth), piece = tile.slot % data.pieces;
    return {data.key_length, all - all * (piece + 1) / data.pieces, all - all * piece / data.pieces};
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
