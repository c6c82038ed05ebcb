#include "pipelines/common/schedulers/unipc.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <fastvideo/core.hpp>
#include <string>

#include "pipelines/common/schedulers/flow_sigmas.hpp"

namespace fastvideo {
namespace {

// The first level stays this far below 1, where the logarithm of the signal would be minus infinity.
constexpr double kBelowOne = 1e-6;

at::Tensor combine(const UniPCWeights& weights, const at::Tensor& sample, const std::deque<at::Tensor>& denoised,
                   const at::Tensor& target) {
  at::Tensor out = at::mul(sample, weights.sample);
  for (size_t k = 0; k < weights.denoised.size(); ++k)
    if (weights.denoised[k] != 0.0) out.add_(denoised[k], weights.denoised[k]);
  if (weights.target != 0.0) out.add_(target, weights.target);
  return out;
}

}  // namespace

UniPCMultistepScheduler::UniPCMultistepScheduler(SchedulerConfig config) : config_(std::move(config)) {
  if (config_.solver_order < 1 || config_.solver_order > kMaxUniPCOrder)
    throw Refused("the scheduler's solver_order is 1, 2 or 3, not " + std::to_string(config_.solver_order));
  if (!config_.lower_order_final && config_.solver_order > 1 &&
      config_.final_sigmas_type == SchedulerConfig::FinalSigma::zero)
    throw Refused("the scheduler's lower_order_final is false and its final_sigmas_type zero: a step of order " +
                  std::to_string(config_.solver_order) +
                  " to noise level 0 is infinite. Set lower_order_final to true, or final_sigmas_type to sigma_min");
}

Scheduler::Schedule UniPCMultistepScheduler::lay_out(int64_t steps) const {
  const double train = static_cast<double>(config_.num_train_timesteps);
  Schedule schedule;
  schedule.sigmas = linspace(1.0, 1.0 / train, steps + 1);
  schedule.sigmas.pop_back();
  for (double& sigma : schedule.sigmas) sigma = shift_sigma(config_.shift, sigma);
  if (config_.shift_terminal) stretch_to_terminal(schedule.sigmas, *config_.shift_terminal);
  if (std::abs(schedule.sigmas[0] - 1.0) < kBelowOne) schedule.sigmas[0] -= kBelowOne;
  for (double& sigma : schedule.sigmas) {
    schedule.timesteps.push_back(std::trunc(sigma * train));
    sigma = to_float32(sigma);
  }
  for (size_t i = 1; i < schedule.sigmas.size(); ++i)
    if (!(schedule.sigmas[i] < schedule.sigmas[i - 1]))
      throw Refused("with a shift of " + std::to_string(config_.shift) + ", " + std::to_string(steps) +
                    " inference steps cannot be told apart: noise levels " + std::to_string(i - 1) + " and " +
                    std::to_string(i) + " are both " + std::to_string(schedule.sigmas[i]) +
                    ". Take a smaller shift or fewer steps");
  const bool to_zero = config_.final_sigmas_type == SchedulerConfig::FinalSigma::zero;
  schedule.sigmas.push_back(to_zero ? 0.0 : schedule.sigmas.back());
  return schedule;
}

void UniPCMultistepScheduler::reset() {
  denoised_.clear();
  last_sample_ = at::Tensor();
  last_order_ = 0;
}

at::Tensor UniPCMultistepScheduler::advance(const at::Tensor& velocity, int64_t i, const at::Tensor& sample) {
  const auto now = static_cast<size_t>(i);
  const auto known_sigmas = [&](size_t newest, int64_t count) {
    std::vector<double> known;
    for (int64_t k = 0; k < count; ++k) known.push_back(sigmas()[newest - static_cast<size_t>(k)]);
    return known;
  };

  const at::Tensor prediction = at::sub(sample, velocity, sigmas()[now]);  // of x_0
  const bool disabled = std::ranges::count(config_.disable_corrector, i - 1) != 0;
  at::Tensor corrected = sample;
  if (i > 0 && !disabled)
    corrected = combine(
        unipc_weights(sigmas()[now], known_sigmas(now - 1, last_order_), /*corrector=*/true, config_.solver_type),
        last_sample_, denoised_, prediction);

  denoised_.push_front(prediction);
  if (static_cast<int64_t>(denoised_.size()) > config_.solver_order) denoised_.pop_back();
  const auto left = static_cast<int64_t>(timesteps().size()) - i;
  last_order_ = std::min(config_.lower_order_final ? std::min(config_.solver_order, left) : config_.solver_order,
                         static_cast<int64_t>(denoised_.size()));
  last_sample_ = corrected;
  return combine(
      unipc_weights(sigmas()[now + 1], known_sigmas(now, last_order_), /*corrector=*/false, config_.solver_type),
      corrected, denoised_, {});
}

}  // namespace fastvideo
