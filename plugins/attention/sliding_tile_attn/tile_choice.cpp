#include "plugins/attention/sliding_tile_attn/tile_choice.hpp"

#include <algorithm>

namespace fastvideo::sliding_tile {
namespace {

constexpr int64_t kBlock = 128;
constexpr double kDensitySlack = 1.05;

// Sizes of a tile that cut an axis into about as many pieces as the published size does, that size first.
std::vector<int64_t> sizes_for(int64_t axis, int64_t published) {
  std::vector<int64_t> sizes{published};
  const int64_t pieces = ceil_div(axis, published);
  for (int64_t n = std::max<int64_t>(1, pieces - 1); n <= std::min(axis, pieces + 1); ++n)
    sizes.push_back(ceil_div(axis, n));
  return sizes;
}

}  // namespace

double work(const TileGrid& tiles, const Extent& window) {
  double blocks = 0;
  for (int64_t i = 0; i < tiles.size(); ++i) {
    int64_t of_keys = 0;
    for (const KeyRun& run : key_runs(tiles, {}, window, i)) of_keys += ceil_div(run.length, kBlock);
    blocks += static_cast<double>(ceil_div(tiles.tokens(i), kBlock)) * static_cast<double>(of_keys);
  }
  const double tokens = static_cast<double>(tiles.grid().volume());
  return blocks * kBlock * kBlock / tokens / tokens;
}

Extent choose_tile(const Extent& grid, const Extent& window) {
  const TileGrid published(grid, kPublishedTile);
  bool divides = true;
  for (size_t i = 0; i < 3; ++i) divides = divides && grid[i] % kPublishedTile[i] == 0;
  if (divides) return kPublishedTile;
  const double most = kDensitySlack * density(published, window);
  Extent best = published.tile();
  double least = work(published, window);
  for (const int64_t t : sizes_for(grid[0], kPublishedTile[0]))
    for (const int64_t h : sizes_for(grid[1], kPublishedTile[1]))
      for (const int64_t w : sizes_for(grid[2], kPublishedTile[2])) {
        const TileGrid tiles(grid, {{t, h, w}});
        if (density(tiles, window) > most) continue;
        const double here = work(tiles, window);
        if (here >= least) continue;
        best = tiles.tile();
        least = here;
      }
  return best;
}

}  // namespace fastvideo::sliding_tile
