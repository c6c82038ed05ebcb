// The denoising loop: from noise to latents.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/pipeline.hpp>
#include <memory>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/diffusion/guidance.hpp"
#include "pipelines/common/diffusion/model_pass.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"

namespace fastvideo {

/// What the loop denoises with: a model, bound to the prompts and sizes of a run.
class DenoisingModel {
 public:
  virtual ~DenoisingModel() = default;

  /// A forward pass on latents, at a step of the scheduler, of one branch. Borrows the latents' memory and the model.
  virtual std::unique_ptr<ModelPass> pass(const at::Tensor& latents, int32_t step, Branch branch) const = 0;
};

/// Runs every step of the scheduler, whose timesteps are set, from `noise` on, and reports each to the progress, whose
/// stage has begun. Returns the latents, float32, on the noise's device; guides in float32. cache: nullptr for none.
/// Throws Cancelled between two forward passes, std::runtime_error naming step, site and backend if the latents turn to
/// NaN, infinity or a constant.
at::Tensor denoise(const at::Tensor& noise, const DenoisingModel& model, const Guidance& guidance, Scheduler& scheduler,
                   HostAttention& attention, StepCache* cache, const Progress& progress);

}  // namespace fastvideo
