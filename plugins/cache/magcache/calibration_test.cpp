#include "plugins/cache/magcache/calibration.hpp"

#include <gtest/gtest.h>

#include "plugins/cache/testing/session_facts.hpp"

namespace fastvideo::magcache {
namespace {

using testing::SessionFacts;

// One run with the given norms, [steps][branches], observed as a pipeline does.
void run(CacheStrategy& strategy, const std::vector<std::vector<double>>& norms, int32_t branches = 2) {
  SessionFacts facts(static_cast<int32_t>(norms.size()), {"blocks.residual"});
  facts.info.branches = branches;
  ASSERT_EQ(strategy.refuses(facts.info), "");
  const auto session = strategy.open(facts.info);
  for (int32_t step = 0; step < facts.info.steps; ++step)
    for (int32_t branch = 0; branch < branches; ++branch) {
      EXPECT_TRUE(session->decide(point_at(facts, step, branch), {}).compute);
      session->observe(point_at(facts, step, branch),
                       {&norms[static_cast<size_t>(step)][static_cast<size_t>(branch)], 1});
    }
}

std::string refusal(MagCacheCalibration& calibration) {
  try {
    calibration.finish();
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

TEST(MagCacheCalibration, WritesTheMeanRatioOfEachStepAndBranch) {
  MagCacheCalibration calibration;
  run(calibration.stand_in(), {{2, 4}, {1, 4}, {2, 1}});
  run(calibration.stand_in(), {{1, 1}, {1, 2}, {1, 1}});
  // Steps 1 and 2, conditional (1/2 + 1)/2 and (2 + 1)/2, unconditional (1 + 2)/2 and (1/4 + 1/2)/2.
  EXPECT_NE(calibration.finish().find("model = \"some-model\"\nbranches = 2\nratios = [\n"
                                      "  1.000000, 1.000000, 0.750000, 1.500000, 1.500000, 0.375000,\n]\n"),
            std::string::npos)
      << calibration.finish();
}

TEST(MagCacheCalibration, RefusesWhatGivesNoRatio) {
  MagCacheCalibration none;
  EXPECT_NE(refusal(none).find("nothing was measured"), std::string::npos);
  MagCacheCalibration zero;
  run(zero.stand_in(), {{1}, {0}, {1}}, 1);
  EXPECT_NE(refusal(zero).find("residual at step 1 of branch 0 is 0.000000"), std::string::npos) << refusal(zero);

  MagCacheCalibration incomplete;
  const SessionFacts facts(3, {"blocks.residual"});
  incomplete.stand_in().open(facts.info);
  EXPECT_NE(refusal(incomplete).find("at step 0 of branch 0 is nan"), std::string::npos) << refusal(incomplete);
}

TEST(MagCacheCalibration, RefusesRunsThatDoNotBelongTogether) {
  MagCacheCalibration calibration;
  CacheStrategy& strategy = calibration.stand_in();
  run(strategy, {{2, 4}, {1, 4}, {2, 1}});
  SessionFacts longer(4, {"blocks.residual"});
  EXPECT_NE(strategy.refuses(longer.info).find("one number of steps"), std::string::npos);
  SessionFacts deaf(3, {"time.embed"});
  EXPECT_NE(strategy.refuses(deaf.info).find("does not measure blocks.residual"), std::string::npos);
  SessionFacts one(1, {"blocks.residual"});
  EXPECT_NE(strategy.refuses(one.info).find("a ratio takes two steps"), std::string::npos);
  SessionFacts nameless(3, {"blocks.residual"});
  nameless.info.model = "";
  EXPECT_NE(strategy.refuses(nameless.info).find("no name"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo::magcache
