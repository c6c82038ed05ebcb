#include "plugins/cache/magcache/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fastvideo::magcache {
namespace {

// The published ratios of Wan 2.1 T2V 1.3B over 50 steps, conditional branch.
const std::vector<double> kWan = {
    1.0,     1.0124,  1.00166, 0.99791, 0.99682, 0.99634, 0.99567, 0.99416, 0.99578, 0.9957,  0.99511, 0.99535, 0.99552,
    0.99541, 0.9954,  0.99489, 0.99518, 0.99484, 0.99481, 0.99415, 0.99419, 0.99396, 0.99388, 0.99349, 0.99309, 0.9927,
    0.99228, 0.99171, 0.99137, 0.99068, 0.99005, 0.98944, 0.98849, 0.98758, 0.98644, 0.98504, 0.9836,  0.98202, 0.97977,
    0.97717, 0.9741,  0.97003, 0.96538, 0.9593,  0.95086, 0.94013, 0.92402, 0.90241, 0.86821, 0.81838};

std::vector<int> steps_of(const std::vector<bool>& skipped) {
  std::vector<int> steps;
  for (size_t i = 0; i < skipped.size(); ++i)
    if (skipped[i]) steps.push_back(static_cast<int>(i));
  return steps;
}

// The steps that the authors' code leaves out at its two published settings.
TEST(MagCache, SkipsWhatThePublishedSettingsSkip) {
  const std::vector<int> two = {10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28,
                                29, 31, 32, 34, 35, 37, 38, 40, 41, 43, 45, 47};
  const std::vector<int> four = {10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 22, 23, 25, 26, 27,
                                 28, 30, 31, 32, 33, 35, 36, 37, 39, 40, 42, 43, 45, 47};
  EXPECT_EQ(steps_of(skipped_steps({0.12, 2, 0.2}, kWan)), two);
  EXPECT_EQ(steps_of(skipped_steps({0.12, 4, 0.2}, kWan)), four);
}

TEST(MagCache, ALowerThresholdSkipsFewerSteps) {
  size_t before = 0;
  for (const double threshold : {0.0, 0.02, 0.12, 1.0}) {
    const size_t skipped = steps_of(skipped_steps({threshold, 6, 0.2}, kWan)).size();
    if (threshold > 0) {
      EXPECT_GT(skipped, before);
    }
    before = skipped;
  }
}

TEST(MagCache, NeverSkipsTheFirstStep) { EXPECT_FALSE(skipped_steps({1000.0, 1000, 0.0}, kWan)[0]); }

TEST(MagCache, StretchesToTheNearestEntry) {
  EXPECT_EQ(stretched({1, 2, 3}, 5), (std::vector<double>{1, 1, 2, 3, 3}));  // 0.5 and 1.5 round to even
  EXPECT_EQ(stretched({1, 2, 3, 4, 5}, 3), (std::vector<double>{1, 3, 5}));
  EXPECT_EQ(stretched({1, 2, 3}, 3), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(stretched({1, 2, 3}, 1), (std::vector<double>{3}));
}

}  // namespace
}  // namespace fastvideo::magcache
