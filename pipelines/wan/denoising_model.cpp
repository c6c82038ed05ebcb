#include "pipelines/wan/denoising_model.hpp"

#include <ATen/ATen.h>

#include <string>

namespace fastvideo::wan {
namespace {

// The configuration's name in published caching data; for other configurations, a name made of their sizes.
std::string model_key(const WanTransformerConfig& config) {
  const auto is = [&](int64_t layers, int64_t dim) { return config.num_layers == layers && config.inner_dim() == dim; };
  if (config.in_channels == 16 && is(30, 1536)) return "wan2.1-t2v-1.3b";
  if (config.in_channels == 16 && is(40, 5120)) return "wan2.1-t2v-14b";
  return "wan-t2v-" + std::to_string(config.num_layers) + "x" + std::to_string(config.inner_dim());
}

}  // namespace

WanDenoisingModel::WanDenoisingModel(const WanTransformer& transformer, const EncodedPrompts& prompts,
                                     const LatentShape& shape, const at::Tensor& token_order,
                                     const at::Tensor& timesteps)
    : transformer_(transformer),
      tokens_(transformer.prepare_tokens({shape.latent_frames, shape.latent_height, shape.latent_width}, token_order)),
      conditional_(transformer.prepare_text(prompts.conditional)),
      timesteps_(timesteps) {
  if (prompts.unconditional.defined()) unconditional_ = transformer.prepare_text(prompts.unconditional);
}

std::unique_ptr<ModelPass> WanDenoisingModel::pass(const at::Tensor& latents, int32_t step,
                                                   std::span<const int32_t> rows) const {
  const TextContext& text = rows.front() == kConditional ? conditional_ : unconditional_.value();
  return std::make_unique<WanPass>(transformer_,
                                   TransformerInputs{latents, timesteps_.narrow(0, step, 1), text, tokens_});
}

CacheOffer wan_cache_offer(const WanTransformerConfig& config, const Request& request, const Scheduler& scheduler) {
  CacheOffer offer = cache_offer(config.num_layers, request.guidance(), scheduler);
  offer.model = model_key(config);
  for (size_t i = 0; i < offer.signals.size(); ++i)
    offer.early[i] = offer.signals[i] == "time.embed" || offer.signals[i] == "time.proj" ? 1 : 0;
  return offer;
}

EarlySignals early_signals(const TimeEmbedding& time) {
  return {{"time.embed", time.embed.split(1)}, {"time.proj", time.proj.split(1)}};
}

}  // namespace fastvideo::wan
