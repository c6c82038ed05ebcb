// Estimates of a launch's time for the Hopper kernel, used for the scores of backends. Host code.
#pragma once

#include <cmath>
#include <cstdint>

#include "plugins/attention/common/hopper/piece_tiles.hpp"

namespace fastvideo::hopper {

/// Multiprocessors of an H100 or H200 (SXM); each holds one block of the kernel.
constexpr int kMultiprocessors = 132;

/// The time of one block, in microseconds, measured on an H200 at its power limit: for a tile of queries and a block of
/// keys, and for a tile without its key blocks.
struct TileTimes {
  double key_block, tile;
};

/// Microseconds of all tiles over `key_blocks` key blocks each: blocks take tiles in rounds, and a last round of few
/// tiles takes as long as any, unless the key blocks of its tiles are shared out (piece_tiles.hpp).
inline double tiles_microseconds(const TileTimes& times, double tiles, double key_blocks) {
  const auto whole = static_cast<int64_t>(tiles / kMultiprocessors);
  const int rest = static_cast<int>(tiles - static_cast<double>(whole) * kMultiprocessors);
  const double round = key_blocks * times.key_block + times.tile;
  double last = rest == 0 ? 0 : round;
  const auto blocks = static_cast<int>(std::ceil(key_blocks));
  if (const Split split = split_last_round(rest, kMultiprocessors, blocks); split.shares > 0)
    last = (std::ceil(rest * key_blocks / split.shares) + cost_of_pieces(rest)) * times.key_block + times.tile;
  return static_cast<double>(whole) * round + last;
}

}  // namespace fastvideo::hopper
