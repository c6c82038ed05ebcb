// One forward pass of the transformer under a caching strategy.
#pragma once

#include <ATen/core/Tensor.h>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"
#include "pipelines/wan/request.hpp"
#include "pipelines/wan/transformer/transformer.hpp"

namespace fastvideo::wan {

/// Branches of classifier-free guidance, in the order of their passes.
enum Branch : int32_t { kConditional = 0, kUnconditional = 1 };

/// What the transformer lets a strategy measure and leave out in a run. The scheduler's timesteps are set.
CacheOffer cache_offer(const WanTransformerConfig& config, const Request& request, const Scheduler& scheduler);

/// The signals that are known before the loop. time: of all steps.
EarlySignals early_signals(const TimeEmbedding& time);

/// As transformer.forward, with the cut computed or replaced as the strategy decides. conditional: the output of the
/// conditional branch at this step, undefined in that branch itself.
at::Tensor cached_pass(StepCache& cache, int32_t step, Branch branch, const at::Tensor& conditional,
                       const TransformerInputs& inputs, const WanTransformer& transformer, Attention& attention);

}  // namespace fastvideo::wan
