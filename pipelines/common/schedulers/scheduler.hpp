// How a denoising loop steps from noise to a sample: the times at which the model is called, and the update from each
// of its outputs. Flow matching: x_sigma = (1 - sigma) x_0 + sigma noise, and the model predicts noise - x_0.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "pipelines/common/schedulers/scheduler_config.hpp"

namespace fastvideo {

/// A schedule, and the state of one loop over it. One thread at a time.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// Sets a schedule of `steps` steps and resets the state of the last loop. Throws Refused if the configuration has no
  /// schedule with this many steps.
  void set_timesteps(int64_t steps);

  /// The timestep that the model receives at each step, [steps], in units of training (0..num_train_timesteps).
  const std::vector<double>& timesteps() const { return timesteps_; }

  /// Noise levels, [steps + 1], rounded to float32: the last is where the loop ends.
  const std::vector<double>& sigmas() const { return sigmas_; }

  /// The sample at sigmas()[i + 1] in float32, a new tensor. model_output: of the model's dtype; sample: float32, of
  /// the same shape. Steps are taken in order from 0: any other step throws std::logic_error.
  at::Tensor step(const at::Tensor& model_output, int64_t i, const at::Tensor& sample);

 protected:
  struct Schedule {
    std::vector<double> sigmas;  ///< [steps + 1]
    std::vector<double> timesteps;
  };

 private:
  virtual Schedule lay_out(int64_t steps) const = 0;
  virtual void reset() {}
  /// velocity: the model's output in float32.
  virtual at::Tensor advance(const at::Tensor& velocity, int64_t i, const at::Tensor& sample) = 0;

  std::vector<double> timesteps_;
  std::vector<double> sigmas_;
  int64_t next_ = 0;
};

/// The scheduler that a configuration names. Throws Refused if its settings cannot work together.
std::unique_ptr<Scheduler> make_scheduler(const SchedulerConfig& config);

}  // namespace fastvideo
