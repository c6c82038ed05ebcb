// The choice of windows against all possible choices.
#include "plugins/attention/sliding_tile_attn/search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/core.hpp>
#include <limits>
#include <random>
#include <set>

namespace fastvideo::sliding_tile {
namespace {

TEST(Search, CandidatesDifferAndEndWithTheWholeGrid) {
  for (const Extent& grid : {Extent{{30, 48, 80}}, Extent{{5, 6, 10}}, Extent{{1, 30, 52}}, Extent{{13, 17, 9}}}) {
    const TileGrid tiles(grid, {{6, 8, 8}});
    const std::vector<Extent> windows = candidate_windows(tiles);
    std::set<std::string> names;
    for (const Extent& window : windows) names.insert(to_text(window));
    EXPECT_EQ(names.size(), windows.size());
    EXPECT_EQ(windows.back(), tiles.counts());
    EXPECT_TRUE(covers(tiles, windows.back()));
  }
  EXPECT_EQ(candidate_windows(TileGrid({{30, 48, 80}}, {{6, 8, 8}})).size(), 27U);
}

struct Total {
  double error = 0, density = 0;
};

Total total(const std::vector<std::vector<double>>& errors, const std::vector<double>& densities,
            const std::vector<size_t>& picks) {
  Total sum;
  for (size_t i = 0; i < picks.size(); ++i) {
    sum.error += errors[i][picks[i]];
    sum.density += densities[picks[i]] / static_cast<double>(picks.size());
  }
  return sum;
}

// The picks meet the density, and no choice that is as sparse has a smaller error.
TEST(Search, NoOtherChoiceOfThatDensityIsCloser) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> share(0, 1);
  const std::vector<double> densities{0.1, 0.25, 0.4, 1.0};
  for (int round = 0; round < 30; ++round) {
    std::vector<std::vector<double>> errors(5);
    for (std::vector<double>& of_place : errors) {
      for (size_t c = 0; c + 1 < densities.size(); ++c) of_place.push_back(share(random));
      of_place.push_back(0);
    }
    const double wanted = 0.1 + 0.9 * share(random);
    const std::vector<size_t> picks = pick(errors, densities, {wanted, {}});
    const Total ours = total(errors, densities, picks);
    EXPECT_LE(ours.density, wanted + 1e-12);
    for (int code = 0; code < 1024; ++code) {  // 4^5 choices
      std::vector<size_t> other(5);
      for (size_t i = 0; i < 5; ++i) other[i] = static_cast<size_t>(code >> (2 * i)) & 3;
      const Total theirs = total(errors, densities, other);
      EXPECT_TRUE(theirs.density > ours.density + 1e-12 || theirs.error >= ours.error - 1e-9) << code;
    }
  }
}

TEST(Search, AnErrorIsMetByTheSparsestWindowOfEachPlace) {
  const std::vector<double> densities{0.3, 0.2, 1.0};
  const std::vector<std::vector<double>> squared{{0.01, 0.02, 0}, {0.01, 0.5, 0}, {0.9, 0.9, 0}};
  EXPECT_EQ(pick(squared, densities, {{}, 0.15}), (std::vector<size_t>{1, 0, 2}));
  EXPECT_EQ(pick(squared, densities, {{}, 0.0}), (std::vector<size_t>{2, 2, 2}));
}

TEST(Search, SaysThatADensityCannotBeMet) {
  EXPECT_THROW(pick({{0.1, 0}}, {0.2, 1}, {0.1, {}}), Refused);
  EXPECT_EQ(pick({{0.1, 0}}, {0.2, 1}, {0.2, {}}), (std::vector<size_t>{0}));
  EXPECT_EQ(pick({{0.1, 0}}, {0.2, 1}, {1.0, {}}), (std::vector<size_t>{1}));
}

}  // namespace
}  // namespace fastvideo::sliding_tile
