// A grid of video tokens cut into tiles, and the order of tokens in which a tile lies together.
#pragma once

#include <vector>

#include "plugins/attention/common/video/extent.hpp"

namespace fastvideo {

/// Tiles begin at the origin. Where they do not divide the grid, the last tiles of an axis are smaller: their tokens
/// outside of the grid do not exist. In tile order tiles follow each other as their tokens do inside them: frames
/// outermost, columns fastest.
class TileGrid {
 public:
  /// A tile that is larger than the grid is cut to it. All sizes at least 1.
  TileGrid(const Extent& grid, const Extent& tile);

  const Extent& grid() const { return grid_; }
  const Extent& tile() const { return tile_; }
  /// Tiles along each axis, and in all.
  const Extent& counts() const { return counts_; }
  int64_t size() const { return counts_.volume(); }

  /// The number of the tile at a place, in tiles, and the place of the tile with a number.
  int64_t index(int64_t t, int64_t h, int64_t w) const { return (t * counts_[1] + h) * counts_[2] + w; }
  Extent place(int64_t index) const;

  /// Position in tile order of a tile's first token; for index = size(), the end of the last tile.
  int64_t start(int64_t index) const { return starts_[static_cast<size_t>(index)]; }
  int64_t tokens(int64_t index) const { return start(index + 1) - start(index); }

  /// Tokens along an axis of the n-th tiles of that axis.
  int64_t length(size_t axis, int64_t n) const;

  /// Raster index (columns fastest) of the token at each position of tile order.
  std::vector<int64_t> token_order() const;

 private:
  Extent grid_, tile_, counts_;
  std::vector<int64_t> starts_;  // size() + 1
};

}  // namespace fastvideo
