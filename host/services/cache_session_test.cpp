#include "host/services/cache_session.hpp"

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

#include "host/config/test_files.hpp"
#include "host/selection/cache_policy.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::flag;
using test::TestPlugins;

// A loop of one branch over a pipeline that can leave out its model and measures latent.in.
struct Loop {
  explicit Loop(int32_t steps) : sigmas(static_cast<size_t>(steps) + 1), zeros(static_cast<size_t>(steps)) {
    info.struct_size = sizeof info;
    info.cuts = FV_CUT_MODEL;
    info.model = info.preset = "";
    info.steps = steps;
    info.branches = info.branches_at_once = 1;
    info.blocks = 2;
    info.experts = 1;
    info.signal_count = 1;
    info.signals = &signal;
    info.early = &early;
    info.sigmas = info.timesteps = sigmas.data();
    info.expert_of_step = zeros.data();
  }
  const char* signal = "latent.in";
  uint8_t early = 0;
  std::vector<double> sigmas;
  std::vector<int32_t> zeros;
  fv_cache_session_info info{};
};

struct OpenedLoop {
  OpenedLoop(const std::vector<Given>& given, int32_t steps)
      : plugins(given),
        loop(steps),
        strategy(plugins.loader, plugins.settings, test::no_services(),
                 *chosen_cache_strategy(cache_request(plugins.settings, plugins.catalog), plugins.catalog, {})),
        cache(strategy),
        service(*cache.service()) {
    plan.struct_size = sizeof plan;
    status = service.open(service.context, &loop.info, &session, &plan, text.get());
  }
  ~OpenedLoop() {
    if (status == FV_OK) service.close(service.context, session);
  }

  fv_status decide(int32_t step, uint32_t& action) {
    const int32_t branch = 0;
    fv_cache_point point{};
    point.struct_size = sizeof point;
    point.step = step;
    point.steps = loop.info.steps;
    point.branches = &branch;
    point.batch = 1;
    const double measurement = step;
    fv_cache_decision decision{sizeof(fv_cache_decision), 99, coefficients};
    const fv_status given = service.decide(service.context, session, &point, &measurement, &decision, text.get());
    action = decision.action;
    return given;
  }

  TestPlugins plugins;
  Loop loop;
  CacheStrategyHandle strategy;
  CacheService cache;
  const fv_cache_service& service;
  fv_cache_session* session = nullptr;
  fv_cache_plan plan{};
  fv_status status = FV_FAILED;
  double coefficients[2] = {};
  TextBuffer text;
};

TEST(CacheSession, DecidesAndCounts) {
  OpenedLoop opened({flag("cache.strategy", "EVERY_OTHER")}, 5);
  ASSERT_EQ(opened.status, FV_OK) << opened.text.str();
  EXPECT_STREQ(opened.service.strategy, "every_other");
  EXPECT_EQ(opened.plan.cut.kind, static_cast<uint32_t>(FV_CUT_MODEL));
  ASSERT_EQ(opened.plan.measure_count, 1u);
  EXPECT_STREQ(opened.plan.measures[0].signal, "latent.in");
  for (int32_t step = 0; step < 5; ++step) {
    uint32_t action = 99;
    ASSERT_EQ(opened.decide(step, action), FV_OK) << opened.text.str();
    EXPECT_EQ(action, static_cast<uint32_t>(step % 2 == 0 ? FV_CACHE_COMPUTE : FV_CACHE_COMBINE));
    EXPECT_EQ(opened.coefficients[0], step % 2 == 0 ? 0 : 1);
  }
  EXPECT_EQ(opened.cache.decided(), 5u);
  EXPECT_EQ(opened.cache.reused(), 2u);
  EXPECT_EQ(opened.cache.left_out(), (std::vector<std::vector<int32_t>>{{1, 3}}));
}

TEST(CacheSession, ARefusalCarriesTheStrategysReason) {
  const OpenedLoop opened({flag("cache.strategy", "every_other")}, 1);
  EXPECT_EQ(opened.status, FV_REFUSED);
  EXPECT_TRUE(contains(opened.text.str(), "every_other/policy is not possible here: one step leaves nothing to skip"));
}

TEST(CacheSession, WhatThePipelineCannotDoIsRefused) {
  const OpenedLoop cut({flag("cache.strategy", "every_other"), flag("cache.every_other.fault", "cut")}, 5);
  EXPECT_EQ(cut.status, FV_REFUSED);
  EXPECT_TRUE(contains(cut.text.str(), "leaves out what this pipeline cannot leave out"));
  const OpenedLoop signal({flag("cache.strategy", "every_other"), flag("cache.every_other.fault", "signal")}, 5);
  EXPECT_EQ(signal.status, FV_REFUSED);
  EXPECT_TRUE(contains(signal.text.str(), "wants the signal 'block.9.out', which this pipeline cannot measure"));
}

TEST(CacheSession, ADifferenceOfABranchToItselfIsAFault) {
  const OpenedLoop only({flag("cache.strategy", "every_other"), flag("cache.every_other.fault", "own_branch")}, 5);
  EXPECT_EQ(only.status, FV_FAILED);
  EXPECT_TRUE(contains(only.text.str(), "a slot keeps the difference to another branch, and there is one branch only"));

  Loop loop(5);
  loop.info.branches = 2;
  loop.info.cuts = FV_CUT_BRANCH;
  fv_cache_slot slot{FV_KEEP_BRANCH_DIFFERENCE, 0, 1, 0};
  fv_cache_plan plan{};
  plan.cut = {FV_CUT_BRANCH, 1, 0, 0};
  plan.slot_count = 1;
  plan.slots = &slot;
  EXPECT_EQ(fault_of_plan(plan, loop.info, {}).text, "a slot keeps the difference of branch 1 to itself");
  slot.other_branch = 0;
  EXPECT_EQ(fault_of_plan(plan, loop.info, {}).text, "");
  loop.info.branches = 1;
  plan.cut.first = 0;
  EXPECT_EQ(fault_of_plan(plan, loop.info, {}).text,
            "it leaves out the only branch, and nothing can stand in for that");
}

TEST(CacheSession, APipelineThatGivesNoRoomIsNamed) {
  OpenedLoop opened({flag("cache.strategy", "every_other")}, 5);
  ASSERT_EQ(opened.status, FV_OK) << opened.text.str();
  const fv_cache_service& service = opened.service;
  const int32_t branch = 0;
  const double measurement = 0;
  fv_cache_point point{sizeof point, 0, 5, 0, 1.0, &branch, 1, 0};
  fv_cache_decision decision{sizeof decision, 0, nullptr};
  const auto answer = [&](const fv_cache_point* at, fv_cache_decision* into) {
    return service.decide(service.context, opened.session, at, &measurement, into, opened.text.get());
  };
  EXPECT_EQ(answer(&point, &decision), FV_FAILED);
  EXPECT_TRUE(contains(opened.text.str(), "the pipeline gives no room for the answer"));
  EXPECT_EQ(answer(&point, nullptr), FV_FAILED);
  EXPECT_EQ(answer(nullptr, &decision), FV_FAILED);
  EXPECT_TRUE(contains(opened.text.str(), "a pass of 0 rows"));
  EXPECT_EQ(service.schedule(service.context, opened.session, &measurement, nullptr, opened.text.get()), FV_FAILED);
  fv_cache_session* session = nullptr;
  EXPECT_EQ(service.open(service.context, nullptr, &session, &opened.plan, opened.text.get()), FV_FAILED);
}

TEST(CacheSession, AFailureCarriesTheStrategysName) {
  OpenedLoop opened({flag("cache.strategy", "every_other"), flag("cache.every_other.fault", "decide")}, 5);
  ASSERT_EQ(opened.status, FV_OK);
  uint32_t action = 99;
  EXPECT_EQ(opened.decide(0, action), FV_FAILED);
  EXPECT_EQ(opened.text.str(), "every_other/policy: decide broke");
  EXPECT_EQ(opened.cache.decided(), 0u);
}

}  // namespace
}  // namespace fastvideo::host
