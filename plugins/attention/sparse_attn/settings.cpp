#include "plugins/attention/sparse_attn/settings.hpp"

#include <algorithm>
#include <cstdio>

namespace fastvideo::sparse {
namespace {

constexpr int64_t kMostTokens = INT32_MAX / 2;

Extent sparse_grid(const fv_attention_site& site) { return {{site.grid[0], site.grid[1], site.grid[2]}}; }

// Whether the grid and the tokens beside it are the whole sequence; false too where that would overflow.
bool grid_fills(const fv_attention_site& site) {
  const int64_t before = site.tokens_before, after = site.tokens_after, length = site.query_length;
  if (before < 0 || after < 0 || before > length || after > length) return false;
  int64_t rest = length - before - after;
  for (const int64_t axis : site.grid) {
    if (rest <= 0 || rest % axis != 0) return false;
    rest /= axis;
  }
  return rest == 1;
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace

Settings::Settings(const Options& options)
    : sink_tokens(options.integer("sink_tokens")),
      dense_steps(options.integer("dense_steps")),
      dense_layers("dense_layers", options.string("dense_layers")) {
  const std::string_view how = options.string("select");
  if (how == "threshold")
    select = Select::threshold;
  else if (how != "routed")
    throw Refused("select is routed or threshold, not " + std::string(how));
  const auto only_with = [&](const char* option, Select which, const char* name) {
    if (select != which && options.has(option))
      throw Refused(std::string(option) + " says nothing with select = \"" + std::string(how) +
                    "\"; leave it out, or set select = \"" + name + "\"");
  };
  only_with("share", Select::routed, "routed");
  only_with("mass", Select::routed, "routed");
  only_with("threshold", Select::threshold, "threshold");
  if (select == Select::threshold && sink_tokens > 0)
    throw Refused("sink_tokens = " + std::to_string(sink_tokens) +
                  " says nothing with select = \"threshold\", which looks at every key; leave it out");
  if (options.has("threshold")) threshold = options.number("threshold");
  if (options.has("share")) share = options.number("share");
  if (options.has("mass")) mass = options.number("mass");
  if (options.has("share") && mass)
    throw Refused("share = " + short_number(share) + " and mass = " + short_number(*mass) +
                  " both say how many key blocks are visited; leave one of them out");
  const std::string_view named = options.string("tile");
  raster = named == "raster";
  if (!raster && named != "auto") tile = parse_extent("tile", named);
}

std::optional<std::string> Settings::refuses(const fv_attention_site& site) const {
  const std::string role = site.role == nullptr ? "" : site.role;
  if (role != FV_ROLE_DIT_SELF && role != FV_ROLE_DIT_JOINT)
    return "chooses among video tokens (dit.self, dit.joint), not " + role;
  if ((site.masks & ~uint32_t{FV_MASK_KEY_LENGTHS}) != 0) return "no masks but key lengths";
  if (site.head_size < 1 || site.kv_heads < 1 || site.query_heads % site.kv_heads != 0)
    return std::to_string(site.query_heads) + " query heads cannot share " + std::to_string(site.kv_heads) +
           " key heads of size " + std::to_string(site.head_size);
  if (!(site.scale > 0)) return "the scale of the scores must be positive";
  if (std::max(site.query_length, site.key_length) > kMostTokens)
    return "at most " + std::to_string(kMostTokens) + " tokens";
  if (site.query_length != site.key_length)
    return std::to_string(site.query_length) + " queries and " + std::to_string(site.key_length) +
           " keys are not one sequence";
  const Extent grid = sparse_grid(site);
  if (*std::min_element(grid.axis.begin(), grid.axis.end()) < 1)
    return "needs the grid of the video tokens (frames, rows, columns), and this site has none";
  if (!grid_fills(site))
    return "a grid of " + to_text(grid) + " with " + std::to_string(site.tokens_before) + " tokens before and " +
           std::to_string(site.tokens_after) + " after it must be all " + std::to_string(site.query_length) + " tokens";
  if (sink_tokens > grid.volume())
    return "sink_tokens = " + std::to_string(sink_tokens) + ", and the video has " + std::to_string(grid.volume()) +
           " tokens";
  if (!dense_layers.empty() && dense_layers.largest() >= site.layers)
    return "dense_layers names layer " + std::to_string(dense_layers.largest()) + ", and the model has " +
           std::to_string(site.layers) + ", the last one " + std::to_string(site.layers - 1);
  return refuses_steps(FV_HAS(&site, fv_attention_site, steps) ? site.steps : 0);
}

std::optional<std::string> Settings::refuses_steps(int64_t steps) const {
  if (steps < 1 || dense_steps <= steps) return std::nullopt;
  return "dense_steps = " + std::to_string(dense_steps) + ", and this run has " + std::to_string(steps) + " steps";
}

Extent Settings::tile_of(const fv_attention_site& site, int width) const {
  if (tile) return *tile;
  const Extent grid = sparse_grid(site);
  Extent best{{1, 1, std::min<int64_t>(width, grid[2])}};
  double least = 3;
  for (int64_t t = std::min<int64_t>(width, grid[0]); t >= 1; --t)
    for (int64_t h = 1; width % t == 0 && h <= std::min(width / t, grid[1]); ++h) {
      const int64_t w = width / t / h;
      if (width / t % h != 0 || w > grid[2]) continue;
      const double surface = 0.5 / static_cast<double>(t) + 1.0 / static_cast<double>(h) + 1.0 / static_cast<double>(w);
      if (surface > least - 1e-9) continue;
      least = surface;
      best = {{t, h, w}};
    }
  return best;
}

Routing Settings::routing(const fv_attention_site& site, int rows, int width) const {
  Routing made{};
  made.rows = rows;
  made.width = width;
  made.queries = static_cast<int>(site.query_length);
  made.keys = static_cast<int>(site.key_length);
  made.before = static_cast<int>(site.tokens_before);
  made.after = static_cast<int>(site.tokens_after);
  made.sinks = static_cast<int>(sink_tokens);
  if (mass)
    made.mass = static_cast<float>(*mass);
  else
    made.share = static_cast<float>(share);
  return made;
}

uint32_t Settings::depends() const {
  return (dense_layers.empty() ? 0 : FV_DEPENDS_LAYER) | (dense_steps > 0 ? FV_DEPENDS_STEP : 0);
}

std::string Settings::describe(const fv_attention_site& site, int width) const {
  std::string text = mass ? "mass " + short_number(*mass) : "share " + short_number(share);
  if (select == Select::threshold)
    text = "blocks of " + std::to_string(width) + " keys above " + short_number(threshold) + " of the largest weight";
  else
    text += " of blocks of " + std::to_string(width) + " keys";
  text += ", tokens in ";
  text += raster ? "raster order" : "boxes of " + to_text(tile_of(site, width));
  if (sink_tokens > 0) text += ", " + std::to_string(sink_tokens) + " sink tokens";
  if (dense_steps > 0) text += ", the first " + std::to_string(dense_steps) + " steps dense";
  if (!dense_layers.empty()) text += ", some layers dense";
  return text;
}

}  // namespace fastvideo::sparse
