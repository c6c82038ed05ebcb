// Chooses the window of each head: from measured errors to a strategy file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugins/attention/sliding_tile_attn/window.hpp"

namespace fastvideo::sliding_tile {

/// Windows worth trying on a grid of tiles: 1, 3 or all tiles along each axis, without duplicates; the last window
/// covers everything.
std::vector<Extent> candidate_windows(const TileGrid& tiles);

/// The goal of a strategy file: one of the two is given.
struct Goal {
  std::optional<double> density;  ///< mean over all places, at most
  std::optional<double> error;    ///< of each place, at most
};

/// Why no choice of candidates of these densities meets a goal, if so.
std::optional<std::string> unreachable(const std::vector<double>& densities, const Goal& goal);

/// Picks a candidate for each place (a step, layer and head). errors: [place][candidate], relative and squared; the
/// last candidate covers everything. For a density: the picks with the least sum of squared errors on the lower convex
/// hull of the possible choices. For an error: for each place the least density. Throws Refused if the goal cannot be
/// met.
std::vector<size_t> pick(const std::vector<std::vector<double>>& errors, const std::vector<double>& densities,
                         const Goal& goal);

/// The file: tile, tile grid, and picks [step, layer, head] of the candidates.
std::string strategy_json(const TileGrid& tiles, const std::vector<Extent>& candidates,
                          const std::vector<size_t>& picks, int64_t layers, int64_t heads);

}  // namespace fastvideo::sliding_tile
