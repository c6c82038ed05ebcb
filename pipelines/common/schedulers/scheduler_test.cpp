#include "pipelines/common/schedulers/scheduler.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

#include "pipelines/common/schedulers/unipc.hpp"

namespace fastvideo {
namespace {

SchedulerConfig wan21() {
  SchedulerConfig config;
  config.shift = 3.0;
  return config;
}

TEST(Scheduler, RefusesWhatHasNoSchedule) {
  const auto refused = [](const SchedulerConfig& config, int64_t steps) {
    EXPECT_THROW(make_scheduler(config)->set_timesteps(steps), Refused);
  };
  refused(wan21(), 0);
  refused(wan21(), -3);
  SchedulerConfig config = wan21();
  config.shift = 0.0;
  refused(config, 4);
  config.shift = std::nan("");
  refused(config, 4);
  config = wan21();
  config.solver_order = 4;
  refused(config, 4);
  config = wan21();
  config.lower_order_final = false;  // a second order step to sigma 0
  refused(config, 4);
  config = wan21();
  config.shift = 1e6;  // all levels are 1 in float32
  refused(config, 50);
  config = wan21();
  config.shift_terminal = 0.1;  // a single level of 1 cannot be stretched
  refused(config, 1);
}

TEST(Scheduler, StepsAreTakenInOrder) {
  for (const auto kind : {SchedulerConfig::Kind::unipc, SchedulerConfig::Kind::flow_match_euler}) {
    SchedulerConfig config = wan21();
    config.kind = kind;
    const auto scheduler = make_scheduler(config);
    const at::Tensor x = at::ones({1, 1, 1, 2, 2});
    EXPECT_THROW(scheduler->step(x, 0, x), std::logic_error);
    scheduler->set_timesteps(2);
    EXPECT_THROW(scheduler->step(x, 1, x), std::logic_error);
    EXPECT_THROW(scheduler->step(x.narrow(3, 0, 1), 0, x), std::logic_error);
    scheduler->step(x, 0, x);
    EXPECT_THROW(scheduler->step(x, 0, x), std::logic_error);
    scheduler->step(x, 1, x);
    EXPECT_THROW(scheduler->step(x, 2, x), std::logic_error);
    scheduler->set_timesteps(1);
    scheduler->step(x, 0, x);
  }
}

// With the true velocity of a single sample every solver ends on that sample, from any step count.
TEST(Scheduler, FollowsAStraightFlowExactly) {
  const at::Tensor target = at::randn({1, 4, 2, 3, 3});
  for (const auto kind : {SchedulerConfig::Kind::unipc, SchedulerConfig::Kind::flow_match_euler})
    for (const int64_t steps : {1, 2, 5, 30}) {
      SchedulerConfig config = wan21();
      config.kind = kind;
      const auto scheduler = make_scheduler(config);
      scheduler->set_timesteps(steps);
      at::Tensor x = at::randn_like(target);
      for (int64_t i = 0; i < steps; ++i)
        x = scheduler->step((x - target) / scheduler->sigmas()[static_cast<size_t>(i)], i, x);
      // float32 rounding of some 30 updates
      EXPECT_LT(at::max(at::abs(x - target)).item<float>(), 2e-5) << steps;
    }
}

// UniP of order p, with h -> 0, is exact for predictions that are polynomials of degree p - 1 in log SNR; here the
// weights of a constant prediction must add up to the exact solution: x_t = sigma_t/sigma_s x + (alpha_t -
// sigma_t/sigma_s alpha_s) m.
TEST(UniPC, WeightsSolveAConstantPredictionExactly) {
  using Solver = SchedulerConfig::SolverType;
  const std::vector<double> levels = {0.6, 0.75, 0.9};
  for (const Solver solver : {Solver::bh1, Solver::bh2})
    for (const bool corrector : {false, true})
      for (size_t order = 1; order <= 3; ++order) {
        const std::vector<double> known(levels.begin(), levels.begin() + static_cast<ptrdiff_t>(order));
        const UniPCWeights weights = unipc_weights(0.45, known, corrector, solver);
        double sum = weights.target;
        for (const double w : weights.denoised) sum += w;
        EXPECT_NEAR(weights.sample, 0.45 / 0.6, 1e-12);
        EXPECT_NEAR(sum, 0.55 - 0.45 / 0.6 * 0.4, 1e-12);
        EXPECT_EQ(weights.target != 0.0, corrector);
      }
}

}  // namespace
}  // namespace fastvideo
