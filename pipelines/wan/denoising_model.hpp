// The transformer as the denoising loop and caching strategies see it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>

#include "pipelines/common/diffusion/cached_pass.hpp"
#include "pipelines/common/diffusion/denoise.hpp"
#include "pipelines/wan/prompt.hpp"
#include "pipelines/wan/request.hpp"
#include "pipelines/wan/transformer/pass.hpp"

namespace fastvideo::wan {

/// The transformer with the inputs that are the same in every step of a run: texts, tokens and times.
class WanDenoisingModel final : public DenoisingModel {
 public:
  /// The transformer is borrowed. token_order: of the attention's plans; the scheduler's timesteps are set.
  WanDenoisingModel(const WanTransformer& transformer, const EncodedPrompts& prompts, const LatentShape& shape,
                    const at::Tensor& token_order, const at::Tensor& timesteps);

  std::unique_ptr<ModelPass> pass(const at::Tensor& latents, int32_t step,
                                  std::span<const int32_t> rows) const override;

 private:
  const WanTransformer& transformer_;
  TokenLayout tokens_;
  TextContext conditional_;
  std::optional<TextContext> unconditional_;  // empty without guidance
  at::Tensor timesteps_;
};

/// The signals and cuts that the transformer offers a strategy in a run. The scheduler's timesteps are set.
CacheOffer wan_cache_offer(const WanTransformerConfig& config, const Request& request, const Scheduler& scheduler);

/// The signals that are known before the loop. time: of all steps.
EarlySignals early_signals(const TimeEmbedding& time);

}  // namespace fastvideo::wan
