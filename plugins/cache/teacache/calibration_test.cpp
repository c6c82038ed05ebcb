#include "plugins/cache/teacache/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "plugins/cache/teacache/coefficients.hpp"
#include "plugins/cache/testing/session_facts.hpp"

namespace fastvideo::teacache {
namespace {

using testing::SessionFacts;

double fitted_at(const std::array<double, 5>& polynomial, double x) {
  Row row{};
  row.polynomial = polynomial;
  return row(x);
}

double squared_error(const std::vector<Point>& points, const std::array<double, 5>& polynomial) {
  double sum = 0;
  for (const Point& point : points) sum += std::pow(fitted_at(polynomial, point.x) - point.y, 2);
  return sum;
}

TEST(PolynomialFit, RecoversThePolynomialBehindItsPoints) {
  // The published polynomial of Wan 2.1 1.3B, over the range in which time.embed moves.
  const std::array<double, 5> wanted = {2.39676752e3, -1.31110545e3, 2.01331979e2, -8.29855975e0, 1.37887774e-1};
  std::vector<Point> points;
  for (int i = 0; i < 29; ++i) {
    const double x = 0.01 + 0.008 * i;
    points.push_back({x, fitted_at(wanted, x)});
  }
  const std::array<double, 5> found = fit_polynomial(points);
  // Rounding of the samples (1e-16) times the condition of the powers over this range (about 1e5).
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[i] / wanted[i], 1, 1e-9) << i;
  EXPECT_NEAR(explained_share(points, found), 1, 1e-12);
}

TEST(PolynomialFit, NoNeighbourHasASmallerError) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> x(0.02, 0.4), noise(-0.05, 0.05);
  std::vector<Point> points;
  for (int i = 0; i < 200; ++i) {
    const double at = x(random);
    points.push_back({at, 0.1 + at + noise(random)});
  }
  const std::array<double, 5> best = fit_polynomial(points);
  const double error = squared_error(points, best);
  for (size_t i = 0; i < 5; ++i)
    for (const double step : {1e-3, -1e-3}) {
      std::array<double, 5> other = best;
      other[i] += step;
      EXPECT_GT(squared_error(points, other), error) << i;
    }
}

TEST(PolynomialFit, CountsPointsThatDifferByMoreThanRounding) {
  EXPECT_EQ(distinct_points({}), 0u);
  EXPECT_EQ(distinct_points({{0.1, 1}, {0.1 + 1e-12, 2}, {0.2, 1}}), 2u);
  EXPECT_THROW(fit_polynomial({{1, 1}, {2, 2}, {3, 3}, {4, 4}, {4, 5}}), std::invalid_argument);
}

// A run in which both embeddings and the output move by known shares; the output by twice that of time.embed.
void run(CacheStrategy& strategy, int32_t steps, double noise = 0) {
  SessionFacts facts(steps, {"time.embed", "time.proj", "blocks.residual", "model.out"});
  ASSERT_EQ(strategy.refuses(facts.info), "");
  const auto session = strategy.open(facts.info);
  const std::vector<fv_cache_measure>& measures = session->plan().measures;
  const double nan = std::nan("");
  for (int32_t step = 0; step < steps; ++step)
    for (int32_t branch = 0; branch < 2; ++branch) {
      // A signal of norm 4 at each step, so that its change is 4 times the relative change.
      std::vector<double> measured;
      for (size_t i = 0; i < measures.size(); i += 2) {
        const std::string signal = measures[i].signal;
        double relative = 0.01 * (step + 1);
        if (signal == "time.proj") relative *= 0.5;
        if (signal == "model.out") relative = 2 * relative + noise + 0.3 * branch;  // branch 1 must be ignored
        measured.push_back(4);
        measured.push_back(step == 0 ? nan : 4 * relative);
      }
      EXPECT_TRUE(session->decide(point_at(facts, step, branch), {}).compute);
      session->observe(point_at(facts, step, branch), measured);
    }
}

std::string refusal(TeaCacheCalibration& calibration) {
  try {
    calibration.finish();
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

TEST(TeaCacheCalibration, WritesARowForEachVariant) {
  TeaCacheCalibration calibration;
  run(calibration.stand_in(), 12, 0.004);
  run(calibration.stand_in(), 12, -0.004);
  const std::string text = calibration.finish();
  EXPECT_NE(text.find("# 22 points of 2 runs of 12 steps"), std::string::npos) << text;
  for (const char* row : {"model = \"some-model\"\nuse_ret_steps = true\nsignal = \"time.proj\"\n",
                          "model = \"some-model\"\nuse_ret_steps = false\nsignal = \"time.embed\"\n"})
    EXPECT_NE(text.find(row), std::string::npos) << text;
  // The mean of both runs is y = 2 x of time.embed: all but the linear coefficient are rounding.
  const size_t at = text.find("coefficients = [", text.find("time.embed")) + 16;
  double c[5];
  ASSERT_EQ(std::sscanf(text.c_str() + at, "%lf, %lf, %lf, %lf, %lf", c, c + 1, c + 2, c + 3, c + 4), 5);
  EXPECT_NEAR(c[3], 2, 1e-6);
  EXPECT_NEAR(c[4], 0, 1e-8);
}

TEST(TeaCacheCalibration, SaysHowManyStepsAFitTakes) {
  TeaCacheCalibration calibration;
  run(calibration.stand_in(), 5);
  run(calibration.stand_in(), 5);
  EXPECT_NE(refusal(calibration).find("5 steps give 4 distinct changes of time."), std::string::npos)
      << refusal(calibration);
  EXPECT_NE(refusal(calibration).find("calibrate with 6 steps or more"), std::string::npos);
  TeaCacheCalibration enough;
  run(enough.stand_in(), 6);
  EXPECT_EQ(refusal(enough), "");
  TeaCacheCalibration none;
  EXPECT_NE(refusal(none).find("nothing was measured"), std::string::npos);
}

TEST(TeaCacheCalibration, RefusesAModelItCannotLookAt) {
  TeaCacheCalibration calibration;
  CacheStrategy& strategy = calibration.stand_in();
  SessionFacts deaf(10, {"latent.in", "model.out"});
  EXPECT_NE(strategy.refuses(deaf.info).find("time.proj, time.embed or block.0.modulated"), std::string::npos);
  SessionFacts nameless(10, {"time.embed", "model.out"});
  nameless.info.model = "";
  EXPECT_NE(strategy.refuses(nameless.info).find("no name"), std::string::npos);
  run(strategy, 8);
  SessionFacts other(8, {"time.embed", "model.out"});
  other.info.model = "another-model";
  EXPECT_NE(strategy.refuses(other.info).find("one model"), std::string::npos);
}

TEST(TeaCacheCalibration, RefusesChangesThatAreNoNumbers) {
  TeaCacheCalibration calibration;
  run(calibration.stand_in(), 12, std::nan(""));
  EXPECT_NE(refusal(calibration).find("not a finite number"), std::string::npos) << refusal(calibration);
}

}  // namespace
}  // namespace fastvideo::teacache
