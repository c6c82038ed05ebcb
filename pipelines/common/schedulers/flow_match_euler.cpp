#include "pipelines/common/schedulers/flow_match_euler.hpp"

#include <ATen/ATen.h>

#include "pipelines/common/schedulers/flow_sigmas.hpp"

namespace fastvideo {

Scheduler::Schedule FlowMatchEulerDiscreteScheduler::lay_out(int64_t steps) const {
  // As in diffusers, the levels run between the levels of training, which are shifted already, and are then shifted
  // again.
  const double train = static_cast<double>(config_.num_train_timesteps);
  const double sigma_min = to_float32(shift_sigma(config_.shift, 1.0 / train));
  Schedule schedule;
  schedule.sigmas = linspace(1.0, sigma_min, steps);
  for (double& sigma : schedule.sigmas) sigma = shift_sigma(config_.shift, sigma);
  if (config_.shift_terminal) stretch_to_terminal(schedule.sigmas, *config_.shift_terminal);
  for (double& sigma : schedule.sigmas) {
    sigma = to_float32(sigma);
    schedule.timesteps.push_back(to_float32(sigma * train));
  }
  schedule.sigmas.push_back(0.0);
  return schedule;
}

at::Tensor FlowMatchEulerDiscreteScheduler::advance(const at::Tensor& velocity, int64_t i, const at::Tensor& sample) {
  const auto at = static_cast<size_t>(i);
  return at::add(sample, velocity, sigmas()[at + 1] - sigmas()[at]);
}

}  // namespace fastvideo
