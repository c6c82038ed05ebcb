#include "plugins/attention/common/video/tile_grid.hpp"

#include <algorithm>

namespace fastvideo {

TileGrid::TileGrid(const Extent& grid, const Extent& tile) : grid_(grid), tile_(tile) {
  for (size_t i = 0; i < 3; ++i) {
    tile_[i] = std::min(tile[i], grid[i]);
    counts_[i] = ceil_div(grid[i], tile_[i]);
  }
  starts_.reserve(static_cast<size_t>(size()) + 1);
  starts_.push_back(0);
  for (int64_t t = 0; t < counts_[0]; ++t)
    for (int64_t h = 0; h < counts_[1]; ++h)
      for (int64_t w = 0; w < counts_[2]; ++w)
        starts_.push_back(starts_.back() + length(0, t) * length(1, h) * length(2, w));
}

Extent TileGrid::place(int64_t index) const {
  return {{index / (counts_[1] * counts_[2]), index / counts_[2] % counts_[1], index % counts_[2]}};
}

int64_t TileGrid::length(size_t axis, int64_t n) const { return std::min(tile_[axis], grid_[axis] - n * tile_[axis]); }

std::vector<int64_t> TileGrid::token_order() const {
  std::vector<int64_t> order;
  order.reserve(static_cast<size_t>(grid_.volume()));
  for (int64_t i = 0; i < size(); ++i) {
    const Extent at = place(i);
    for (int64_t t = 0; t < length(0, at[0]); ++t)
      for (int64_t h = 0; h < length(1, at[1]); ++h)
        for (int64_t w = 0; w < length(2, at[2]); ++w)
          order.push_back(((at[0] * tile_[0] + t) * grid_[1] + at[1] * tile_[1] + h) * grid_[2] + at[2] * tile_[2] + w);
  }
  return order;
}

}  // namespace fastvideo
