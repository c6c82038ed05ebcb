// The default tile for a grid.
#pragma once

#include "plugins/attention/sliding_tile_attn/window.hpp"

namespace fastvideo::sliding_tile {

/// The tile of the published method, in which windows of strategy files count unless the file says otherwise.
constexpr Extent kPublishedTile{{6, 8, 8}};

/// Multiplications of blocks of 128 queries and 128 keys, as a share of those of whole blocks of dense attention: the
/// density, and the overhead of ragged ends of tiles and runs.
double work(const TileGrid& tiles, const Extent& window);

/// The published tile where it divides the grid. Otherwise, of tiles that differ from it by at most 2 along each axis
/// and whose density lies within a factor of 1.05 of its own, the tile with the least work for its density: as many
/// keys are seen, with less waste.
Extent choose_tile(const Extent& grid, const Extent& window);

}  // namespace fastvideo::sliding_tile
