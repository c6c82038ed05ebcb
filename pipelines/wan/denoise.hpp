// The denoising loop: from noise to latents.
#pragma once

#include <ATen/core/Tensor.h>

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"
#include "pipelines/wan/prompt.hpp"
#include "pipelines/wan/request.hpp"
#include "pipelines/wan/transformer/transformer.hpp"

namespace fastvideo::wan {

/// The noise that diffusers starts from with a CPU generator of that seed: float32 [1, channels, T', H', W'], CPU.
at::Tensor initial_noise(const Shape& shape, int64_t channels, uint64_t seed);

/// The scheduler's timesteps as the transformer takes them, float32 [steps].
at::Tensor timesteps_on(at::Device device, const Scheduler& scheduler);

/// Runs every step of the scheduler, whose timesteps are set, from `noise` on. Returns the latents, float32, on the
/// request's device. Classifier-free guidance as in Ho and Salimans 2022, in float32: u + s (c - u). cache: nullptr for
/// none. Throws Cancelled between two forward passes, std::runtime_error naming step, site and backend if the latents
/// turn to NaN, infinity or a constant.
at::Tensor denoise(const at::Tensor& noise, const Request& request, const Shape& shape, const EncodedPrompts& prompts,
                   const WanTransformer& transformer, Scheduler& scheduler, HostAttention& attention, StepCache* cache,
                   const Progress& progress);

}  // namespace fastvideo::wan
