#include "plugins/cache/first_block/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "plugins/cache/testing/session_facts.hpp"

namespace fastvideo::first_block {
namespace {

using testing::OptionList;
using testing::point_at;
using testing::SessionFacts;

TEST(FirstBlockCache, ComparesWithTheLastComputedStepOfTheSameBranch) {
  FirstBlockCache strategy(OptionList().number("threshold", 0.1).get());
  const SessionFacts facts(10, {"block.0.residual"});
  ASSERT_EQ(strategy.refuses(facts.info), "");
  const auto session = strategy.open(facts.info);
  const auto computes = [&](int32_t step, int32_t branch, double change, double norm) {
    const double measured[] = {change, norm};
    const bool compute = session->decide(point_at(facts, step, branch), measured).compute;
    if (compute) session->observe(point_at(facts, step, branch), measured);
    return compute;
  };
  EXPECT_TRUE(computes(0, 0, std::nan(""), 2.0));  // no step before it
  EXPECT_TRUE(computes(0, 1, std::nan(""), 8.0));
  EXPECT_FALSE(computes(1, 0, 0.2, 100.0));  // 0.2 / 2: just at the threshold
  EXPECT_FALSE(computes(1, 1, 0.7, 100.0));  // 0.7 / 8
  EXPECT_TRUE(computes(2, 0, 0.21, 4.0));    // 0.21 / 2: a step left out is no reference
  EXPECT_FALSE(computes(3, 0, 0.39, 4.0));   // 0.39 / 4
}

TEST(FirstBlockCache, EachRowOfABatchIsComparedWithItself) {
  FirstBlockCache strategy(OptionList().number("threshold", 0.1).get());
  const SessionFacts facts(10, {"block.0.residual"});
  const auto session = strategy.open(facts.info);
  const int32_t branches[] = {0, 0};
  fv_cache_point point = point_at(facts, 0, branches[0]);
  point.branches = branches;
  point.batch = 2;
  const double norms[] = {std::nan(""), 1.0, std::nan(""), 10.0};
  EXPECT_TRUE(session->decide(point, norms).compute);
  session->observe(point, norms);
  point.step = 1;
  const auto computes = [&](double first, double second) {
    return session->decide(point, std::vector<double>{first, 5.0, second, 5.0}).compute;
  };
  EXPECT_FALSE(computes(0.09, 0.9));
  EXPECT_TRUE(computes(0.2, 0.0));  // a fifth of the first row's norm, though little of the second's
  EXPECT_TRUE(computes(0.0, 1.1));
}

TEST(FirstBlockCache, ALowerThresholdSkipsFewerSteps) {
  int before = -1;
  for (const double threshold : {0.0, 0.05, 0.3}) {
    FirstBlockCache strategy(OptionList().number("threshold", threshold).get());
    const SessionFacts facts(20, {"block.0.residual"});
    const auto session = strategy.open(facts.info);
    int skipped = 0;
    double distance = 0;
    for (int32_t step = 0; step < 20; ++step) {
      const int32_t branch = 0;
      const double measured[] = {step == 0 ? std::nan("") : distance += 0.02, 1.0};
      if (session->decide(point_at(facts, step, branch), measured).compute) {
        session->observe(point_at(facts, step, branch), measured);
        distance = 0;
      } else {
        ++skipped;
      }
    }
    EXPECT_GT(skipped, before) << threshold;
    before = skipped;
  }
}

TEST(FirstBlockCache, RefusesWhatItCannotServe) {
  const FirstBlockCache strategy(OptionList().number("threshold", 0.1).get());
  EXPECT_NE(strategy.refuses(SessionFacts(10).info).find("does not measure block.0.residual"), std::string::npos);
  SessionFacts one_block(10, {"block.0.residual"});
  one_block.info.blocks = 1;
  EXPECT_NE(strategy.refuses(one_block.info).find("one block"), std::string::npos);
  for (const double wrong : {-0.1, std::nan(""), HUGE_VAL})
    EXPECT_THROW(FirstBlockCache(OptionList().number("threshold", wrong).get()), Refused);
}

}  // namespace
}  // namespace fastvideo::first_block
