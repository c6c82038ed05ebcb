// The denoising loop: from noise to latents.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/pipeline.hpp>
#include <memory>
#include <span>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/diffusion/guidance.hpp"
#include "pipelines/common/diffusion/model_pass.hpp"
#include "pipelines/common/diffusion/preview.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"

namespace fastvideo {

/// The scheduler's timesteps as transformers take them, float32 [steps] on the device.
at::Tensor timesteps_on(at::Device device, const Scheduler& scheduler);

/// The model that the loop calls, bound to the prompts and sizes of a run.
class DenoisingModel {
 public:
  virtual ~DenoisingModel() = default;

  /// Whether one pass carries all branches of guidance, as rows of a batch; otherwise each branch has its own pass.
  virtual bool branches_at_once() const { return false; }

  /// A forward pass on latents [rows, C, T, H, W] at a step of the scheduler; rows: the branch of each row. Borrows the
  /// latents' memory and the model.
  virtual std::unique_ptr<ModelPass> pass(const at::Tensor& latents, int32_t step,
                                          std::span<const int32_t> rows) const = 0;
};

/// Runs every step of the scheduler, whose timesteps are set, from `noise` [1, C, T, H, W] on, and reports each step to
/// the progress, whose stage has begun. Returns the latents, float32, on the noise's device; guides in float32. cache:
/// nullptr for none. Throws Cancelled between two forward passes, std::runtime_error naming step, site and backend if
/// the latents turn to NaN, infinity or a constant. observer: sees the estimate of the sample before a step is
/// reported.
at::Tensor denoise(const at::Tensor& noise, const DenoisingModel& model, const Guidance& guidance, Scheduler& scheduler,
                   HostAttention& attention, StepCache* cache, const Progress& progress,
                   const EstimateObserver& observer = {});

}  // namespace fastvideo
