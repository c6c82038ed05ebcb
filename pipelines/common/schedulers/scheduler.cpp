#include "pipelines/common/schedulers/scheduler.hpp"

#include <ATen/ATen.h>

#include <fastvideo/core.hpp>
#include <stdexcept>
#include <string>

#include "pipelines/common/schedulers/flow_match_euler.hpp"
#include "pipelines/common/schedulers/unipc.hpp"

namespace fastvideo {

void Scheduler::set_timesteps(int64_t steps) {
  if (steps < 1) throw Refused("a schedule has at least 1 inference step, not " + std::to_string(steps));
  Schedule schedule = lay_out(steps);
  sigmas_ = std::move(schedule.sigmas);
  timesteps_ = std::move(schedule.timesteps);
  next_ = 0;
  reset();
}

at::Tensor Scheduler::step(const at::Tensor& model_output, int64_t i, const at::Tensor& sample) {
  if (i != next_ || i >= static_cast<int64_t>(timesteps_.size()))
    throw std::logic_error("scheduler step " + std::to_string(i) + " of " + std::to_string(timesteps_.size()) +
                           ", expected " + std::to_string(next_));
  if (sample.scalar_type() != at::kFloat || sample.sizes() != model_output.sizes())
    throw std::logic_error("a scheduler steps a float32 sample of the model output's shape");
  ++next_;
  return advance(model_output.to(at::kFloat), i, sample);
}

std::unique_ptr<Scheduler> make_scheduler(const SchedulerConfig& config) {
  if (!(config.shift > 0.0)) throw Refused("the scheduler's shift is positive, not " + std::to_string(config.shift));
  if (config.kind == SchedulerConfig::Kind::flow_match_euler)
    return std::make_unique<FlowMatchEulerDiscreteScheduler>(config);
  return std::make_unique<UniPCMultistepScheduler>(config);
}

}  // namespace fastvideo
