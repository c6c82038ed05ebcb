// How long a launch of the Hopper kernel takes: what scores of backends are made of. Host code.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/piece_tiles.hpp"

namespace fastvideo::hopper {

/// Multiprocessors of an H100 or H200 (SXM); each holds one block of the kernel.
constexpr int kMultiprocessors = 132;

/// What one block needs, in microseconds, measured on an H200 at its power limit: for a tile of queries and a block of
/// keys, and for a tile beside its key blocks.
struct TileTimes {
  double key_block, tile;
};

/// Microseconds of all tiles over so many key blocks each: blocks take tiles in rounds, and a last round of few tiles
/// takes as long as any, unless its tiles can be split into pieces of their keys (piece_tiles.hpp).
inline double tiles_microseconds(const TileTimes& times, double tiles, double key_blocks) {
  double rounds = tiles / kMultiprocessors;
  const auto whole = static_cast<int64_t>(rounds);
  const int rest = static_cast<int>(tiles - static_cast<double>(whole) * kMultiprocessors);
  const int pieces = rest == 0 ? 1 : split_last_round(rest, kMultiprocessors, static_cast<int>(key_blocks)).pieces;
  rounds = static_cast<double>(whole) + (rest == 0 ? 0 : 1.0 / pieces);
  return rounds * (key_blocks * times.key_block + times.tile);
}

}  // namespace fastvideo::hopper
