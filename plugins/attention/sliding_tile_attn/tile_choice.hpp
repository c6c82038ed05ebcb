// The tile for a grid, where nobody has named one.
#pragma once

#include "plugins/attention/sliding_tile_attn/window.hpp"

namespace fastvideo::sliding_tile {

/// The tile of the published method; what windows of strategy files count unless they say otherwise.
constexpr Extent kPublishedTile{{6, 8, 8}};

/// Multiplications of blocks of 128 queries and 128 keys, as a share of those of whole blocks of dense attention: the
/// density, and what the ragged ends of tiles and runs add to it.
double work(const TileGrid& tiles, const Extent& window);

/// The published tile where it divides the grid. Otherwise, of tiles that differ from it by at most 2 along each axis
/// and whose density lies within a factor of 1.05 of its own, the one with the least work for its density: as much is
/// seen, and less is wasted.
Extent choose_tile(const Extent& grid, const Extent& window);

}  // namespace fastvideo::sliding_tile
