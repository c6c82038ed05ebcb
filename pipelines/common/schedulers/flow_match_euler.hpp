// Euler steps along the flow (Esser et al. 2024, arXiv 2403.03206), with the schedule of diffusers'
// FlowMatchEulerDiscreteScheduler.
#pragma once

#include "pipelines/common/schedulers/scheduler.hpp"

namespace fastvideo {

/// x <- x + (sigma_{i+1} - sigma_i) v. The timesteps are fractional, and the last sigma is 0.
class FlowMatchEulerDiscreteScheduler final : public Scheduler {
 public:
  explicit FlowMatchEulerDiscreteScheduler(SchedulerConfig config) : config_(std::move(config)) {}

 private:
  Schedule lay_out(int64_t steps) const override;
  at::Tensor advance(const at::Tensor& velocity, int64_t i, const at::Tensor& sample) override;

  SchedulerConfig config_;
};

}  // namespace fastvideo
