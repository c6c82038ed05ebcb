#include "plugins/cache/easycache/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "plugins/cache/testing/session_facts.hpp"

namespace fastvideo::easycache {
namespace {

using testing::OptionList;
using testing::point_at;
using testing::SessionFacts;

Options options(OptionList& list, double threshold, int64_t kept) {
  return list.number("threshold", threshold).integer("kept_first_steps", kept).get();
}

// The published procedure on inputs and outputs that are single numbers, so that norms are absolute values.
std::vector<bool> published(const std::vector<double>& in, const std::vector<double>& out, double threshold, int kept) {
  std::vector<bool> skipped;
  double error = 0, rate = std::nan(""), computed_in = std::nan(""), computed_out = std::nan("");
  for (size_t t = 0; t < in.size(); ++t) {
    bool skip = false;
    if (static_cast<int>(t) >= kept && t + 1 < in.size()) {
      error += rate * std::abs(in[t] - in[t - 1]) / std::abs(computed_out);
      skip = error < threshold;
    }
    if (!skip) {
      error = 0;
      rate = std::abs(out[t] - computed_out) / std::abs(in[t] - computed_in);
      computed_in = in[t];
      computed_out = out[t];
    }
    skipped.push_back(skip);
  }
  return skipped;
}

TEST(EasyCache, SkipsWhatThePublishedProcedureSkips) {
  std::mt19937 engine(7);
  std::normal_distribution<double> normal;
  for (const double threshold : {0.0, 0.1, 0.5, 3.0}) {
    constexpr int kSteps = 30;
    std::vector<double> in(kSteps), out(kSteps);
    for (double& x : in) x = normal(engine);
    for (double& x : out) x = 5 + normal(engine);
    const std::vector<bool> expected = published(in, out, threshold, 4);

    OptionList list;
    EasyCache strategy(options(list, threshold, 4));
    const SessionFacts facts(kSteps);
    const auto session = strategy.open(facts.info);
    int computed = -1;
    for (int32_t t = 0; t < kSteps; ++t) {
      const auto at = [](const std::vector<double>& v, int i) {
        return i < 0 ? std::nan("") : v[static_cast<size_t>(i)];
      };
      const double measured[] = {std::abs(at(in, t) - at(in, t - 1)), std::abs(at(in, t) - at(in, computed)),
                                 std::abs(at(out, t) - at(out, computed)), std::abs(at(out, t))};
      const int32_t conditional = 0, unconditional = 1;
      const bool compute = session->decide(point_at(facts, t, conditional), measured).compute;
      EXPECT_EQ(!compute, expected[static_cast<size_t>(t)]) << "step " << t << ", threshold " << threshold;
      EXPECT_EQ(session->decide(point_at(facts, t, unconditional), measured).compute, compute);
      if (!compute) continue;
      session->observe(point_at(facts, t, conditional), measured);
      const double other[] = {9, 9, 9, 9};  // the other branch's measures must not matter
      session->observe(point_at(facts, t, unconditional), other);
      computed = t;
    }
  }
}

// Two videos and both branches in one pass: rows 0 and 1 are conditional.
TEST(EasyCache, ABatchIsLeftOutOnlyIfEveryConditionalRowMayBe) {
  OptionList list;
  EasyCache strategy(options(list, 0.5, 1));
  const SessionFacts facts(10);
  const auto session = strategy.open(facts.info);
  const int32_t branches[] = {0, 0, 1, 1};
  // The change of the input of the two videos; the other measures are chosen so that the estimated change of the output
  // equals it.
  const auto computes = [&](int32_t step, double first, double second) {
    std::vector<double> measured;
    for (const double change : {first, second, 9.0, 9.0}) measured.insert(measured.end(), {change, 1.0, 1.0, 1.0});
    fv_cache_point point = point_at(facts, step, branches[0]);
    point.branches = branches;
    point.batch = 4;
    const bool compute = session->decide(point, measured).compute;
    if (compute) session->observe(point, measured);
    return compute;
  };
  EXPECT_TRUE(computes(0, 1, 1));
  EXPECT_FALSE(computes(1, 0.1, 0.3));
  EXPECT_FALSE(computes(2, 0.3, 0.1));  // 0.4 each: each row accumulates its own change
  EXPECT_TRUE(computes(3, 0.0, 0.2));
  EXPECT_FALSE(computes(4, 0.4, 0.4));  // both start anew
  EXPECT_TRUE(computes(5, 0.2, 0.0));
}

TEST(EasyCache, RefusesWhatItCannotServe) {
  OptionList list;
  const EasyCache strategy(options(list, 0.05, 10));
  EXPECT_EQ(strategy.refuses(SessionFacts(12, {"latent.in", "model.out"}).info), "");
  EXPECT_EQ(strategy.refuses(SessionFacts(12, {"latent.in"}).info), "this pipeline does not measure model.out");
  EXPECT_NE(strategy.refuses(SessionFacts(11).info).find("ask for 12 steps"), std::string::npos);
  for (const double wrong : {-0.1, std::nan(""), HUGE_VAL}) {
    OptionList wrong_list;
    EXPECT_THROW(EasyCache(options(wrong_list, wrong, 10)), Refused);
  }
}

}  // namespace
}  // namespace fastvideo::easycache
