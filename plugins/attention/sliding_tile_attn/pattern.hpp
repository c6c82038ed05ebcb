// The keys that queries see under one window, as lists that kernels walk.
#pragma once

#include <span>
#include <vector>

#include "plugins/attention/sliding_tile_attn/window.hpp"

namespace fastvideo::sliding_tile {

/// Queries [first, first + count) of the sequence, and the keys that all of them see. Borrows from its pattern.
struct QueryRange {
  int64_t first, count;
  std::span<const KeyRun> keys;
};

/// Ranges that cover the sequence (before, grid in tile order, after) in ascending order: one for each tile, one for
/// the tokens on either side; a single range if every query sees every key.
class Pattern {
 public:
  Pattern(const TileGrid& tiles, TokensBeside beside, const Extent& window);
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  std::span<const QueryRange> ranges() const { return ranges_; }

 private:
  std::vector<KeyRun> runs_;
  std::vector<QueryRange> ranges_;
};

}  // namespace fastvideo::sliding_tile
