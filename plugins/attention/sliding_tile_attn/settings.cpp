#include "plugins/attention/sliding_tile_attn/settings.hpp"

#include <algorithm>
#include <cstdio>

#include "plugins/attention/sliding_tile_attn/tile_choice.hpp"

namespace fastvideo::sliding_tile {
namespace {

constexpr int64_t kMostTokens = INT32_MAX / 2;

Extent grid_of(const fv_attention_site& site) { return {{site.grid[0], site.grid[1], site.grid[2]}}; }

// Whether the grid and the tokens beside it are the whole sequence; false too where that would overflow.
bool fills(const Extent& grid, int64_t before, int64_t after, int64_t length) {
  if (before < 0 || after < 0 || length > kMostTokens || before > length || after > length) return false;
  int64_t rest = length - before - after;
  for (size_t i = 0; i < 3; ++i) {
    if (rest <= 0 || rest % grid[i] != 0) return false;
    rest /= grid[i];
  }
  return rest == 1;
}

std::string text_of(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", share);
  return text;
}

}  // namespace

Settings::Settings(const Options& options) : rescale(options.string("steps") == "rescale") {
  if (!rescale && options.string("steps") != "exact")
    throw Refused("steps is exact or rescale, not " + std::string(options.string("steps")));
  dense_steps = options.integer("dense_steps");
  if (options.string("tile") != "auto") tile = parse_extent("tile", options.string("tile"));
  if (options.has("window")) window = parse_extent("window", options.string("window"));
  if (const fv_value* content = options.find("strategy")) {
    strategy.emplace(*content, options.has("strategy_file") ? std::string(options.string("strategy_file")) : "");
    if (options.has("window"))
      throw Refused("window = \"" + to_text(window) + "\" and the strategy file " + strategy->file() +
                    " both say the windows; leave one of them out");
    if (tile && *tile != strategy->tile())
      throw Refused("tile = \"" + to_text(*tile) + "\", and the windows of the strategy file " + strategy->file() +
                    " count tiles of " + to_text(strategy->tile()) +
                    "; leave the option out, or name the tile in the file");
    tile = strategy->tile();
  } else if (rescale) {
    throw Refused("steps = \"rescale\" would have no effect without a strategy file");
  }
}

std::optional<std::string> Settings::refuses(const fv_attention_site& site) const {
  const std::string role = site.role == nullptr ? "" : site.role;
  if (role != FV_ROLE_DIT_SELF && role != FV_ROLE_DIT_JOINT)
    return "slides windows over video tokens (dit.self, dit.joint), not " + role;
  if ((site.masks & ~uint32_t{FV_MASK_KEY_LENGTHS}) != 0) return "no masks but key lengths";
  if (site.head_size < 1 || site.kv_heads < 1 || site.query_heads % site.kv_heads != 0)
    return std::to_string(site.query_heads) + " query heads cannot share " + std::to_string(site.kv_heads) +
           " key heads of size " + std::to_string(site.head_size);
  if (site.total_heads < site.query_heads)
    return std::to_string(site.query_heads) + " heads of a model that has " + std::to_string(site.total_heads);
  if (!(site.scale > 0)) return "the scale of the scores must be positive";
  const Extent grid = grid_of(site);
  if (*std::min_element(grid.axis.begin(), grid.axis.end()) < 1)
    return "windows need the grid of the video tokens (frames, rows, columns), and this site has none";
  if (site.query_length != site.key_length || !fills(grid, site.tokens_before, site.tokens_after, site.query_length))
    return "a grid of " + to_text(grid) + " with " + std::to_string(site.tokens_before) + " tokens before and " +
           std::to_string(site.tokens_after) + " after it must be all " + std::to_string(site.query_length) +
           " queries and all " + std::to_string(site.key_length) + " keys, at most " + std::to_string(kMostTokens);
  if (const auto reason = refuses_steps(FV_HAS(&site, fv_attention_site, steps) ? site.steps : 0)) return reason;
  if (!strategy) return std::nullopt;
  const std::string of_file = "the strategy file " + strategy->file() + " has ";
  if (strategy->layers() != site.layers)
    return of_file + std::to_string(strategy->layers()) + " layers (its last entry is of layer " +
           std::to_string(strategy->layers() - 1) + "), and the model has " + std::to_string(site.layers);
  if (strategy->heads() != site.total_heads)
    return of_file + std::to_string(strategy->heads()) + " heads (its last entry is of head " +
           std::to_string(strategy->heads() - 1) + "), and the model has " + std::to_string(site.total_heads);
  const Extent counts = tiles_of(site).counts();
  if (strategy->tile_grid() != counts)
    return of_file + "windows for a grid of " + to_text(strategy->tile_grid()) + " tiles, and " + to_text(grid) +
           " tokens in tiles of " + to_text(strategy->tile()) + " are " + to_text(counts) +
           " of them; a file without full windows names its grid as \"tile_grid\"";
  return std::nullopt;
}

std::optional<std::string> Settings::refuses_steps(int64_t steps) const {
  if (steps < 1) return std::nullopt;
  const std::string this_run = ", and this run has " + std::to_string(steps);
  if (dense_steps > steps) return "dense_steps = " + std::to_string(dense_steps) + this_run + " steps";
  if (!strategy || rescale || strategy->steps() == steps) return std::nullopt;
  const std::string last = std::to_string(strategy->steps() - 1) + "_" + std::to_string(strategy->layers() - 1) + "_" +
                           std::to_string(strategy->heads() - 1);
  return "the strategy file " + strategy->file() + " has " + std::to_string(strategy->steps()) +
         " steps (its last entry is " + last + ")" + this_run +
         (strategy->steps() < steps ? ": entry " + std::to_string(strategy->steps()) + "_0_0 is missing" : "") +
         "; ask for as many steps, or set steps = \"rescale\" to take the nearest";
}

TileGrid Settings::tiles_of(const fv_attention_site& site) const {
  const Extent grid = grid_of(site);
  return {grid, tile ? *tile : choose_tile(grid, window)};
}

uint32_t Settings::depends() const {
  return strategy ? FV_DEPENDS_STEP | FV_DEPENDS_LAYER : dense_steps > 0 ? FV_DEPENDS_STEP : 0;
}

double Settings::mean_density(const TileGrid& tiles) const {
  if (!strategy) return density(tiles, window);
  const std::vector<int64_t> counts = strategy->counts();
  double sum = 0, all = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    sum += static_cast<double>(counts[i]) * density(tiles, strategy->windows()[i]);
    all += static_cast<double>(counts[i]);
  }
  return sum / all;
}

std::string Settings::describe(const TileGrid& tiles) const {
  std::string text = "tile " + to_text(tiles.tile()) + " (" + to_text(tiles.counts()) + " of them), ";
  const std::string density = text_of(mean_density(tiles));
  text += strategy ? std::to_string(strategy->windows().size()) + " windows of a strategy file, mean density " + density
                   : "window " + to_text(window) + ", density " + density;
  if (dense_steps > 0) text += ", the first " + std::to_string(dense_steps) + " steps dense";
  return text;
}

}  // namespace fastvideo::sliding_tile
