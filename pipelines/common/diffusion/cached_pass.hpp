// One forward pass under a caching strategy.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/diffusion/guidance.hpp"
#include "pipelines/common/diffusion/model_pass.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"

namespace fastvideo {

/// The signals and cuts that any transformer with this many blocks offers a strategy; at_once: one pass carries all
/// branches of guidance, which then are left out together. The family adds its key (offer.model), and says which
/// signals are early. The scheduler's timesteps are set.
CacheOffer cache_offer(int64_t blocks, const Guidance& guidance, const Scheduler& scheduler, bool at_once = false);

/// Runs a pass as run_whole does, with the cut computed or replaced as the strategy decides. rows: the branch of each
/// batch row. conditional: the output of the conditional branch at this step, undefined in that branch itself.
at::Tensor cached_pass(StepCache& cache, int32_t step, std::span<const int32_t> rows, const at::Tensor& conditional,
                       ModelPass& pass, Attention& attention);

}  // namespace fastvideo
