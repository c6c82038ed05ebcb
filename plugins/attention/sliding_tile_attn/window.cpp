#include "plugins/attention/sliding_tile_attn/window.hpp"

#include <algorithm>

namespace fastvideo::sliding_tile {

TileRange visible_tiles(int64_t n, int64_t tiles, int64_t window) {
  const int64_t half = window / 2;
  if (2 * half + 1 >= tiles) return {0, tiles};
  const int64_t centre = std::clamp(n, half, tiles - 1 - half);
  return {centre - half, centre + half + 1};
}

bool covers(const TileGrid& tiles, const Extent& window) {
  for (size_t i = 0; i < 3; ++i)
    if (2 * (window[i] / 2) + 1 < tiles.counts()[i]) return false;
  return true;
}

double density(const TileGrid& tiles, const Extent& window) {
  double product = 1;  // the axes are independent of each other
  for (size_t i = 0; i < 3; ++i) {
    double pairs = 0;
    for (int64_t n = 0; n < tiles.counts()[i]; ++n) {
      const TileRange seen = visible_tiles(n, tiles.counts()[i], window[i]);
      const int64_t keys = std::min(seen.end * tiles.tile()[i], tiles.grid()[i]) - seen.begin * tiles.tile()[i];
      pairs += static_cast<double>(tiles.length(i, n)) * static_cast<double>(keys);
    }
    product *= pairs / static_cast<double>(tiles.grid()[i]) / static_cast<double>(tiles.grid()[i]);
  }
  return product;
}

std::vector<KeyRun> key_runs(const TileGrid& tiles, TokensBeside beside, const Extent& window, int64_t tile) {
  std::vector<KeyRun> runs;
  const auto add = [&](int64_t start, int64_t length) {
    if (length == 0) return;
    if (!runs.empty() && runs.back().start + runs.back().length == start)
      runs.back().length += length;
    else
      runs.push_back({start, length});
  };
  const Extent at = tiles.place(tile);
  TileRange seen[3];
  for (size_t i = 0; i < 3; ++i) seen[i] = visible_tiles(at[i], tiles.counts()[i], window[i]);
  add(0, beside.before);
  for (int64_t t = seen[0].begin; t < seen[0].end; ++t)
    for (int64_t h = seen[1].begin; h < seen[1].end; ++h) {
      const int64_t first = tiles.start(tiles.index(t, h, seen[2].begin));
      const int64_t end = tiles.start(tiles.index(t, h, seen[2].end - 1) + 1);
      add(beside.before + first, end - first);
    }
  add(beside.before + tiles.grid().volume(), beside.after);
  return runs;
}

}  // namespace fastvideo::sliding_tile
