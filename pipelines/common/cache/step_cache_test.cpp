// The strategy of these tests is a script; what StepCache measures, keeps and combines is compared with plain
// arithmetic.
#include "pipelines/common/cache/step_cache.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace fastvideo {
namespace {

constexpr int kSteps = 6;

// A cache service whose strategy is scripted by the test.
struct Script {
  std::vector<fv_cache_measure> measures;
  std::vector<fv_cache_slot> slots;
  fv_cache_cut cut{FV_CUT_BLOCKS, 0, 4, 0};
  bool is_static = false;
  std::function<std::vector<double>(int step, int branch, const double* measured)> decide;  // empty: compute
  std::map<std::pair<int, int>, std::vector<double>> decided_with, observed;                // by step and branch
  std::map<int, std::vector<int32_t>> rows_decided;                                         // by step
  std::map<int, std::vector<double>> measured_rows;
  std::vector<double> scheduled_with;

  fv_cache_service service{};
  fv_services services{};

  Script() {
    service.struct_size = sizeof(service);
    service.context = this;
    service.strategy = "script";
    service.open = [](void* c, const fv_cache_session_info*, fv_cache_session** session, fv_cache_plan* plan,
                      fv_text*) -> fv_status {
      Script& s = self(c);
      plan->is_static = s.is_static ? 1 : 0;
      plan->cut = s.cut;
      plan->measure_count = static_cast<uint32_t>(s.measures.size());
      plan->measures = s.measures.data();
      plan->slot_count = static_cast<uint32_t>(s.slots.size());
      plan->slots = s.slots.data();
      *session = reinterpret_cast<fv_cache_session*>(c);
      return FV_OK;
    };
    service.schedule = [](void* c, fv_cache_session*, const double* measured, fv_cache_decision* const* decisions,
                          fv_text*) -> fv_status {
      Script& s = self(c);
      s.scheduled_with.assign(measured, measured + kSteps * s.measures.size());
      for (int i = 0; i < kSteps * 2; ++i) s.answer(i / 2, i % 2, measured, *decisions[i]);
      return FV_OK;
    };
    service.decide = [](void* c, fv_cache_session*, const fv_cache_point* point, const double* measured,
                        fv_cache_decision* decision, fv_text*) -> fv_status {
      Script& s = self(c);
      s.rows_decided[point->step].assign(point->branches, point->branches + point->batch);
      s.measured_rows[point->step].assign(measured, measured + static_cast<size_t>(point->batch) * s.measures.size());
      s.decided_with[{point->step, point->branches[0]}].assign(measured, measured + s.measures.size());
      s.answer(point->step, point->branches[0], measured, *decision);
      return FV_OK;
    };
    service.observe = [](void* c, fv_cache_session*, const fv_cache_point* point, const double* measured,
                         fv_text*) -> fv_status {
      Script& s = self(c);
      s.observed[{point->step, point->branches[0]}].assign(measured, measured + s.measures.size());
      return FV_OK;
    };
    service.close = [](void*, fv_cache_session*) {};
    services.struct_size = sizeof(services);
    services.get = [](const fv_services* all, const char*) -> const void* {
      return reinterpret_cast<const fv_cache_service*>(all->host_version);  // the one service, by a borrowed field
    };
    services.host_version = reinterpret_cast<const char*>(&service);
  }
  static Script& self(void* context) { return *static_cast<Script*>(context); }
  void answer(int step, int branch, const double* measured, fv_cache_decision& decision) const {
    const std::vector<double> coefficients = decide(step, branch, measured);
    decision.action = coefficients.empty() ? FV_CACHE_COMPUTE : FV_CACHE_COMBINE;
    std::copy(coefficients.begin(), coefficients.end(), decision.coefficients);
  }
  std::unique_ptr<StepCache> open(int32_t at_once = 1) {
    CacheOffer offer;
    offer.cuts = FV_CUT_BLOCKS | (at_once == 1 ? uint32_t{FV_CUT_BRANCH} : 0u);
    offer.branches = 2;
    offer.branches_at_once = at_once;
    offer.blocks = 4;
    offer.signals = {"time.embed", "block.0.modulated", "model.out"};
    offer.early = {1, 0, 0};
    offer.sigmas.assign(kSteps + 1, 0.5);
    offer.timesteps.assign(kSteps, 500);
    offer.expert_of_step.assign(kSteps, 0);
    return StepCache::open(Host(&services), offer);
  }
};

at::Tensor input_of(int step, int branch) { return at::full({1, 3}, 1.0 + step + 10 * branch); }
at::Tensor output_of(int step, int branch) { return at::full({1, 3}, 100.0 * (step + 1) + 7 * branch); }
double value(const at::Tensor& x) { return x.select(1, 0).item<double>(); }

// One pass of a branch as a pipeline makes it; returns the output of the cut.
at::Tensor pass(StepCache& cache, int step, int branch) {
  cache.begin(step, branch);
  const at::Tensor input = input_of(step, branch);
  cache.measure("block.0.modulated", input);
  at::Tensor output;
  if (cache.decide()) {
    output = output_of(step, branch);
    cache.keep(input, output);
  } else {
    output = cache.combine(input);
  }
  cache.measure("model.out", output);
  cache.end();
  return output;
}

TEST(StepCache, IsOffWithoutAService) {
  fv_services none{};
  none.get = [](const fv_services*, const char*) -> const void* { return nullptr; };
  EXPECT_EQ(StepCache::open(Host(&none), {}), nullptr);
}

TEST(StepCache, CombinesResidualsOfItsOwnBranchAsFarBackAsAsked) {
  Script script;
  script.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}, {FV_KEEP_RESIDUAL, 1, 0, 0}, {FV_KEEP_OUTPUT, 0, 0, 0}};
  script.decide = [](int step, int, const double*) {
    return step < 3 ? std::vector<double>{} : std::vector<double>{2.0, -1.0, 0.5, 3.0};
  };
  const auto cache = script.open();
  for (int step = 0; step < 5; ++step) {
    for (int branch = 0; branch < 2; ++branch) {
      const double out = value(pass(*cache, step, branch));
      if (step < 3) continue;
      const auto residual = [&](int s) { return value(output_of(s, branch)) - value(input_of(s, branch)); };
      const double expected =
          2 * residual(2) - residual(1) + 0.5 * value(output_of(2, branch)) + 3 * value(input_of(step, branch));
      EXPECT_DOUBLE_EQ(out, expected) << "step " << step << " branch " << branch;
    }
  }
  EXPECT_EQ(cache->reused(), 4);
}

TEST(StepCache, MeasuresNormsAndTheirDifferences) {
  Script script;
  script.measures = {{"block.0.modulated", FV_NORM_L1, FV_MINUS_NOTHING},
                     {"block.0.modulated", FV_NORM_L2, FV_MINUS_PREVIOUS},
                     {"block.0.modulated", FV_NORM_L1, FV_MINUS_LAST_COMPUTED},
                     {"model.out", FV_NORM_L1, FV_MINUS_NOTHING}};
  script.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  script.decide = [](int step, int, const double*) {
    return step == 1 || step == 2 ? std::vector<double>{1, 1} : std::vector<double>{};
  };
  const auto cache = script.open();
  for (int step = 0; step < 5; ++step)
    for (int branch = 0; branch < 2; ++branch) pass(*cache, step, branch);

  const auto at_step = [&](int step) { return script.decided_with.at({step, 1}); };
  EXPECT_DOUBLE_EQ(at_step(3)[0], value(input_of(3, 1)));
  EXPECT_DOUBLE_EQ(at_step(3)[1], 1.0);  // to step 2, which was left out
  EXPECT_DOUBLE_EQ(at_step(3)[2], 3.0);  // to step 0, the last that was computed
  EXPECT_TRUE(std::isnan(at_step(3)[3]));
  EXPECT_TRUE(std::isnan(at_step(0)[1]));
  EXPECT_TRUE(std::isnan(at_step(0)[2]));
  // Only computed passes are observed, with the measures known at their end.
  EXPECT_EQ(script.observed.count({1, 1}), 0u);
  EXPECT_DOUBLE_EQ(script.observed.at({0, 1})[3], value(output_of(0, 1)));
  EXPECT_DOUBLE_EQ(script.observed.at({3, 0})[2], 3.0);
  // The last pass is observed by finish(), for no decision follows it.
  EXPECT_EQ(script.observed.count({4, 1}), 0u);
  cache->finish();
  EXPECT_DOUBLE_EQ(script.observed.at({4, 1})[3], value(output_of(4, 1)));
}

TEST(StepCache, PlansAheadByEarlySignals) {
  Script script;
  script.is_static = true;
  script.measures = {{"time.embed", FV_NORM_L1, FV_MINUS_NOTHING}, {"time.embed", FV_NORM_L2, FV_MINUS_PREVIOUS}};
  script.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  script.decide = [](int step, int branch, const double*) {
    return step == 2 + branch ? std::vector<double>{1, 1} : std::vector<double>{};
  };
  const auto cache = script.open();
  EXPECT_FALSE(cache->wants("time.embed"));  // in the loop nothing is measured
  std::vector<at::Tensor> embeddings;
  for (int step = 0; step < kSteps; ++step)
    embeddings.push_back(at::tensor({-1.0 * step * step, 2.0 * step}).unsqueeze(0));
  cache->schedule({{"time.embed", embeddings}});
  EXPECT_DOUBLE_EQ(script.scheduled_with[2 * 3], (9 + 6) / 2.0);
  EXPECT_FLOAT_EQ(static_cast<float>(script.scheduled_with[2 * 3 + 1]), static_cast<float>(std::sqrt((25 + 4) / 2.0)));
  EXPECT_TRUE(std::isnan(script.scheduled_with[1]));
  for (int step = 0; step < kSteps; ++step) {
    for (int branch = 0; branch < 2; ++branch) {
      const double out = value(pass(*cache, step, branch));
      if (step == 2 + branch) {
        EXPECT_DOUBLE_EQ(out, value(output_of(step - 1, branch)) + 1);
      } else {
        EXPECT_DOUBLE_EQ(out, value(output_of(step, branch)));
      }
    }
  }
  EXPECT_TRUE(script.decided_with.empty());
}

TEST(StepCache, LeavesOutABranchByItsDifferenceToTheOther) {
  Script script;
  script.cut = {FV_CUT_BRANCH, 1, 0, 0};
  script.slots = {{FV_KEEP_BRANCH_DIFFERENCE, 0, 0, 0}};
  script.decide = [](int step, int, const double*) {
    return step < 2 ? std::vector<double>{} : std::vector<double>{1, 1};
  };
  const auto cache = script.open();
  for (int step = 0; step < 4; ++step) {
    const at::Tensor conditional = pass(*cache, step, 0);
    EXPECT_DOUBLE_EQ(value(conditional), value(output_of(step, 0)));
    cache->begin(step, 1);
    if (cache->decide()) {
      cache->keep(input_of(step, 1), output_of(step, 1));
    } else {
      EXPECT_DOUBLE_EQ(value(cache->combine(conditional)), value(output_of(step, 0)) + 7);
    }
    cache->end();
  }
  EXPECT_EQ(script.decided_with.count({3, 0}), 0u);
  EXPECT_EQ(cache->reused(), 2);
}

// Two streams of two rows, the branches in one pass.
TEST(StepCache, CarriesSeveralStreamsAndRowsThroughACut) {
  Script script;
  script.measures = {{"block.0.modulated", FV_NORM_L1, FV_MINUS_NOTHING}};
  script.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  script.decide = [](int step, int, const double*) {
    return step == 1 ? std::vector<double>{2, 1} : std::vector<double>{};
  };
  const auto cache = script.open(2);
  const int32_t rows[] = {0, 1};
  const Streams input = {at::arange(4, at::kFloat).view({2, 2}), at::ones({2, 3})};
  const Streams output = {at::full({2, 2}, 10.0), at::full({2, 3}, 5.0)};
  for (int step = 0; step < 2; ++step) {
    cache->begin(step, rows);
    cache->measure("block.0.modulated", at::tensor({1.0f, -3.0f, 8.0f, 0.0f}).view({2, 2}));
    if (cache->decide()) {
      cache->keep(input, output);
    } else {
      const Streams combined = cache->combine(input);
      ASSERT_EQ(combined.size(), 2u);
      for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(combined[i], input[i] + 2 * (output[i] - input[i])));
    }
    cache->end();
  }
  EXPECT_EQ(cache->reused(), 1);
  EXPECT_EQ(script.rows_decided.at(1), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(script.measured_rows.at(1), (std::vector<double>{2, 4}));  // a norm for each row
}

TEST(StepCache, BranchesInOnePassAreLeftOutTogether) {
  Script script;
  script.is_static = true;
  script.slots = {{FV_KEEP_OUTPUT, 0, 0, 0}};
  // Combined: both branches at step 1, one of them at step 2, both with different coefficients at step 3.
  script.decide = [](int step, int branch, const double*) {
    if (step == 1 || (step == 2 && branch == 1)) return std::vector<double>{1, 0};
    return step == 3 ? std::vector<double>{1.0 + branch, 0} : std::vector<double>{};
  };
  const auto cache = script.open(2);
  cache->schedule({});
  const int32_t rows[] = {0, 1};
  std::vector<bool> computed;
  for (int step = 0; step < 4; ++step) {
    cache->begin(step, rows);
    computed.push_back(cache->decide());
    if (computed.back()) cache->keep(at::zeros({2, 3}), at::ones({2, 3}));
    cache->end();
  }
  EXPECT_EQ(computed, (std::vector<bool>{true, false, true, true}));
}

TEST(StepCache, RowsMustStayWhatTheyAre) {
  Script script;
  const auto together = script.open(2);
  const int32_t both[] = {0, 1}, turned[] = {1, 0};
  together->begin(0, both);
  EXPECT_THROW(together->begin(1, turned), std::logic_error);
  Script other;
  other.measures = {{"block.0.modulated", FV_NORM_L1, FV_MINUS_NOTHING}};
  const auto apart = other.open();
  EXPECT_THROW(apart->begin(0, both), std::logic_error);
  apart->begin(0, 1);
  EXPECT_THROW(apart->measure("block.0.modulated", at::ones({2, 3})), std::logic_error);
  Script difference;
  difference.slots = {{FV_KEEP_BRANCH_DIFFERENCE, 0, 0, 0}};
  EXPECT_THROW(difference.open(2), std::runtime_error);
}

TEST(StepCache, TellsAStrategyThatAsksForWhatIsNotThere) {
  const auto message = [](Script& script) {
    try {
      const auto cache = script.open();
      cache->schedule({});
      pass(*cache, 0, 0);
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto decide = [](int, int, const double*) { return std::vector<double>{1, 1}; };
  Script empty_slot, signal, late, blocks;
  empty_slot.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  empty_slot.decide = decide;
  EXPECT_NE(message(empty_slot).find("slot 0 at step 0"), std::string::npos);
  signal.measures = {{"block.9.modulated", FV_NORM_L1, FV_MINUS_NOTHING}};
  EXPECT_NE(message(signal).find("block.9.modulated"), std::string::npos);
  late.is_static = true;
  late.measures = {{"model.out", FV_NORM_L1, FV_MINUS_NOTHING}};
  EXPECT_NE(message(late).find("plans ahead by model.out"), std::string::npos);
  blocks.cut = {FV_CUT_BLOCKS, 2, 5, 0};
  EXPECT_NE(message(blocks).find("[2, 5) of 4"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo
