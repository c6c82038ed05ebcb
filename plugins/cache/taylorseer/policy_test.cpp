#include "plugins/cache/taylorseer/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fastvideo::taylorseer {
namespace {

double extrapolated(const std::vector<int32_t>& computed, int32_t order, int32_t step, double (*f)(double)) {
  const std::vector<double> coefficients = extrapolation(computed, order, step);
  double value = 0;
  for (size_t i = 0; i < computed.size(); ++i) value += coefficients[i] * f(computed[i]);
  return value;
}

// At order 1 the series is the line through the last two computed steps; the newest has the weight 1 + k / N of the
// paper.
TEST(TaylorSeer, ExtrapolatesLinesExactly) {
  const auto line = [](double t) { return 3 - 0.5 * t; };
  for (const auto& computed : {std::vector<int32_t>{10, 5}, {7, 6, 3}, {20, 15, 10}})
    EXPECT_NEAR(extrapolated(computed, 1, computed[0] + 3, line), line(computed[0] + 3), 1e-12);
  EXPECT_EQ(extrapolation({10, 5}, 1, 12), (std::vector<double>{1.4, -0.4}));
}

// The derivatives as the method defines them, written out for order 2 and even steps:
// f' = (f0 - f1) / N, f'' = (f0 - 2 f1 + f2) / N^2.
TEST(TaylorSeer, TakesDividedDifferencesAsDerivatives) {
  const double n = 5, k = 2;
  const std::vector<double> expected = {1 + k / n + k * k / 2 / (n * n), -k / n - k * k / (n * n), k * k / 2 / (n * n)};
  const std::vector<double> coefficients = extrapolation({20, 15, 10}, 2, 22);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(coefficients[i], expected[i], 1e-12);
}

TEST(TaylorSeer, UsesTheOrdersItHas) {
  EXPECT_EQ(extrapolation({4}, 3, 9), std::vector<double>{1.0});
  EXPECT_EQ(extrapolation({4, 3, 2}, 0, 9), (std::vector<double>{1.0, 0.0, 0.0}));
}

TEST(TaylorSeer, ComputesTheFirstStepsThenOneInIntervalAndTheLast) {
  std::vector<int32_t> computed;
  for (int32_t step = 0; step < 16; ++step)
    if (is_computed({5, 1, 3}, step, 16)) computed.push_back(step);
  EXPECT_EQ(computed, (std::vector<int32_t>{0, 1, 2, 7, 12, 15}));
}

}  // namespace
}  // namespace fastvideo::taylorseer
