#include "plugins/attention/sliding_tile_attn/search.hpp"

#include <algorithm>
#include <cmath>
#include <fastvideo/core.hpp>
#include <numeric>

namespace fastvideo::sliding_tile {
namespace {

std::vector<int64_t> sizes_along(int64_t tiles) {
  std::vector<int64_t> sizes;
  for (const int64_t size : {int64_t{1}, int64_t{3}})
    if (size < tiles) sizes.push_back(size);
  sizes.push_back(tiles);
  return sizes;
}

// For each place the candidate with the least error plus price times density; of two equal candidates the sparser.
std::vector<size_t> at_price(const std::vector<std::vector<double>>& errors, const std::vector<double>& densities,
                             double price) {
  std::vector<size_t> picks;
  picks.reserve(errors.size());
  for (const std::vector<double>& of_place : errors) {
    size_t best = 0;
    const auto cost = [&](size_t c) { return of_place[c] + price * densities[c]; };
    for (size_t c = 1; c < densities.size(); ++c)
      if (cost(c) < cost(best) || (cost(c) == cost(best) && densities[c] < densities[best])) best = c;
    picks.push_back(best);
  }
  return picks;
}

double mean_density(const std::vector<size_t>& picks, const std::vector<double>& densities) {
  double sum = 0;
  for (const size_t pick : picks) sum += densities[pick];
  return picks.empty() ? 0 : sum / static_cast<double>(picks.size());
}

std::string list_of(const Extent& e) {
  return "[" + std::to_string(e[0]) + ", " + std::to_string(e[1]) + ", " + std::to_string(e[2]) + "]";
}

}  // namespace

std::vector<Extent> candidate_windows(const TileGrid& tiles) {
  std::vector<Extent> windows;
  for (const int64_t t : sizes_along(tiles.counts()[0]))
    for (const int64_t h : sizes_along(tiles.counts()[1]))
      for (const int64_t w : sizes_along(tiles.counts()[2])) windows.push_back({{t, h, w}});
  return windows;
}

std::optional<std::string> unreachable(const std::vector<double>& densities, const Goal& goal) {
  const double least = *std::min_element(densities.begin(), densities.end());
  if (!goal.density || least <= *goal.density) return std::nullopt;
  return "a density of " + std::to_string(*goal.density) + " cannot be met: the smallest window has " +
         std::to_string(least) + "; ask for more, or name a smaller tile";
}

std::vector<size_t> pick(const std::vector<std::vector<double>>& errors, const std::vector<double>& densities,
                         const Goal& goal) {
  if (goal.error) {
    std::vector<size_t> picks;
    for (const std::vector<double>& of_place : errors) {
      size_t best = densities.size() - 1;
      for (size_t c = 0; c < densities.size(); ++c)
        if (std::sqrt(of_place[c]) <= *goal.error && densities[c] < densities[best]) best = c;
      picks.push_back(best);
    }
    return picks;
  }
  if (const auto why = unreachable(densities, goal)) throw Refused(*why);
  const double wanted = *goal.density;
  // The mean density falls as its price rises: the least price at which it is met.
  double low = 0, high = 1;
  if (mean_density(at_price(errors, densities, low), densities) <= wanted) return at_price(errors, densities, low);
  while (mean_density(at_price(errors, densities, high), densities) > wanted) {
    low = high;
    high *= 2;
  }
  for (int i = 0; i < 100; ++i) {
    const double middle = low + (high - low) / 2;
    (mean_density(at_price(errors, densities, middle), densities) > wanted ? low : high) = middle;
  }
  return at_price(errors, densities, high);
}

std::string strategy_json(const TileGrid& tiles, const std::vector<Extent>& candidates,
                          const std::vector<size_t>& picks, int64_t layers, int64_t heads) {
  std::string text = "{\n  \"tile\": " + list_of(tiles.tile()) + ",\n  \"tile_grid\": " + list_of(tiles.counts());
  for (size_t i = 0; i < picks.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i);
    text += ",\n  \"" + std::to_string(at / heads / layers) + "_" + std::to_string(at / heads % layers) + "_" +
            std::to_string(at % heads) + "\": " + list_of(candidates[picks[i]]);
  }
  return text + "\n}\n";
}

}  // namespace fastvideo::sliding_tile
