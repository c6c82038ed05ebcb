#include "plugins/attention/sliding_tile_attn/tile_choice.hpp"

#include <algorithm>

namespace fastvideo::sliding_tile {
namespace {

constexpr int64_t kBlock = 128;
constexpr double kDensitySlack = 1.05;
constexpr int64_t kSizeSlack = 2;

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
  const double wanted = density(published, window);
  Extent best = published.tile();
  double least = work(published, window) / wanted;
  const auto [dt, dh, dw] = kPublishedTile.axis;
  for (int64_t t = dt - kSizeSlack; t <= dt + kSizeSlack; ++t)
    for (int64_t h = dh - kSizeSlack; h <= dh + kSizeSlack; ++h)
      for (int64_t w = dw - kSizeSlack; w <= dw + kSizeSlack; ++w) {
        const TileGrid tiles(grid, {{t, h, w}});
        const double offered = density(tiles, window);
        if (offered > kDensitySlack * wanted || wanted > kDensitySlack * offered) continue;
        const double overhead = work(tiles, window) / offered;
        if (overhead >= least) continue;
        best = tiles.tile();
        least = overhead;
      }
  return best;
}

}  // namespace fastvideo::sliding_tile
