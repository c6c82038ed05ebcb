// The options of SLIDING_TILE_ATTN, and the sites and runs that it refuses on every device.
#pragma once

#include <fastvideo/attention.hpp>
#include <optional>
#include <string>

#include "plugins/attention/sliding_tile_attn/strategy.hpp"
#include "plugins/attention/sliding_tile_attn/window.hpp"

namespace fastvideo::sliding_tile {

/// The default window of all steps, layers and heads.
constexpr Extent kDefaultWindow{{3, 3, 3}};

/// The options of plugin.toml.
struct Settings {
  /// Throws Refused.
  explicit Settings(const Options& options);

  Extent window = kDefaultWindow;    ///< unused with a strategy
  std::optional<Extent> tile;        ///< chosen for the grid if it is not given
  std::optional<Strategy> strategy;  ///< the window of each step, layer and head
  bool rescale = false;              ///< a run may have another number of steps than the strategy
  int64_t dense_steps = 0;           ///< the first steps, in which every query sees every key

  /// Why no kernel of this plugin supports a site, if so.
  std::optional<std::string> refuses(const fv_attention_site& site) const;

  /// Why a run of `steps` steps cannot be served, if so; below 1: the number is not known.
  std::optional<std::string> refuses_steps(int64_t steps) const;

  /// The tiles of a site that is not refused.
  TileGrid tiles_of(const fv_attention_site& site) const;

  /// Whether every query sees every key in all calls.
  bool is_dense(const TileGrid& tiles) const { return !strategy && covers(tiles, window); }

  /// Density, over all steps, layers and heads. dense_steps are not counted: the number of steps is not known.
  double mean_density(const TileGrid& tiles) const;

  /// FV_DEPENDS_*.
  uint32_t depends() const;

  /// For `explain`: "tile 6x8x8 (4x4x7 of them), window 3x3x3, density 0.27".
  std::string describe(const TileGrid& tiles) const;
};

}  // namespace fastvideo::sliding_tile
