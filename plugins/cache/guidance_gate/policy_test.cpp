#include "plugins/cache/guidance_gate/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "plugins/cache/testing/session_facts.hpp"

namespace fastvideo::guidance_gate {
namespace {

using testing::OptionList;
using testing::SessionFacts;

// Steps whose unconditional pass is left out.
std::vector<int> gated(const SessionFacts& facts, double gate_step) {
  GuidanceGate strategy(OptionList().number("gate_step", gate_step).get());
  EXPECT_EQ(strategy.refuses(facts.info), "");
  const auto decisions = strategy.open(facts.info)->schedule({});
  std::vector<int> steps;
  for (size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i].compute) continue;
    EXPECT_EQ(i % 2, 1u) << "the conditional pass is never left out";
    steps.push_back(static_cast<int>(i / 2));
  }
  return steps;
}

TEST(GuidanceGate, LeavesOutTheUnconditionalPassAfterItsShare) {
  EXPECT_EQ(gated(SessionFacts(8), 0.5), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(gated(SessionFacts(5), 0.5), (std::vector<int>{3, 4}));
  EXPECT_EQ(gated(SessionFacts(3), 0.0), (std::vector<int>{1, 2}));  // a difference must be computed first
}

TEST(GuidanceGate, AnExpertBeginsWithBothBranches) {
  SessionFacts facts(8);
  for (size_t step = 6; step < 8; ++step) facts.expert_of_step[step] = 1;
  EXPECT_EQ(gated(facts, 0.5), (std::vector<int>{4, 5, 7}));
}

TEST(GuidanceGate, RefusesWhatItCannotServe) {
  const GuidanceGate strategy(OptionList().number("gate_step", 0.5).get());
  SessionFacts unguided(8);
  unguided.info.branches = 1;
  EXPECT_NE(strategy.refuses(unguided.info).find("--guidance-scale"), std::string::npos);
  EXPECT_NE(GuidanceGate(OptionList().number("gate_step", 1.0).get()).refuses(SessionFacts(8).info).find("no step"),
            std::string::npos);
  for (const double wrong : {-0.1, 1.1, std::nan("")})
    EXPECT_THROW(GuidanceGate(OptionList().number("gate_step", wrong).get()), Refused);
}

}  // namespace
}  // namespace fastvideo::guidance_gate
