// The window of sliding tile attention (Zhang et al. 2025, arXiv 2502.04507): the tiles that the queries of a tile see.
#pragma once

#include "plugins/attention/common/key_run.hpp"
#include "plugins/attention/common/video/tile_grid.hpp"

namespace fastvideo::sliding_tile {

/// Tiles [begin, end) along one axis.
struct TileRange {
  int64_t begin, end;
};

/// Along an axis of `tiles`, the tiles that queries of the n-th see: those within window / 2 of the centre, which is n
/// moved inwards until the window lies inside. So at a border it slides rather than shrinks, an even window is as wide
/// as the next odd window, and a window that does not fit covers the axis.
TileRange visible_tiles(int64_t n, int64_t tiles, int64_t window);

/// Whether all queries see all tokens.
bool covers(const TileGrid& tiles, const Extent& window);

/// Share of all pairs of video tokens that the window lets through. Only tokens that exist are counted.
double density(const TileGrid& tiles, const Extent& window);

/// Tokens of the sequence beside those of the grid, such as text: all queries see them, and they see all keys.
struct TokensBeside {
  int64_t before = 0, after = 0;
};

/// Keys that the queries of a tile see, in positions of the sequence with the grid in tile order: ascending, neighbours
/// merged.
std::vector<KeyRun> key_runs(const TileGrid& tiles, TokensBeside beside, const Extent& window, int64_t tile);

}  // namespace fastvideo::sliding_tile
