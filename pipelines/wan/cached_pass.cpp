#include "pipelines/wan/cached_pass.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace fastvideo::wan {
namespace {

class CacheObserver final : public SignalObserver {
 public:
  explicit CacheObserver(StepCache& cache) : cache_(cache) {}
  bool wants(std::string_view signal) override { return cache_.wants(signal); }
  void observe(std::string_view signal, const at::Tensor& value) override { cache_.measure(signal, value); }

 private:
  StepCache& cache_;
};

// The name under which published caching data know a configuration; for others one that tells sizes apart.
std::string model_key(const WanTransformerConfig& config) {
  const auto is = [&](int64_t layers, int64_t dim) { return config.num_layers == layers && config.inner_dim() == dim; };
  if (config.in_channels == 16 && is(30, 1536)) return "wan2.1-t2v-1.3b";
  if (config.in_channels == 16 && is(40, 5120)) return "wan2.1-t2v-14b";
  return "wan-t2v-" + std::to_string(config.num_layers) + "x" + std::to_string(config.inner_dim());
}

at::Tensor pass_without_blocks(StepCache& cache, const TransformerInputs& inputs, const WanTransformer& transformer,
                               Attention& attention, SignalObserver& observer) {
  const int64_t first = cache.cut().first, last = cache.cut().last;
  TransformerPass pass = transformer.embed(inputs, &observer);
  const at::Tensor first_input = pass.hidden;
  transformer.run_blocks(pass, 0, first, attention, &observer);
  const std::string modulated = BlockSignals(first).modulated;
  if (observer.wants(modulated)) observer.observe(modulated, transformer.modulated_input(pass, first));

  const at::Tensor cut_input = pass.hidden;
  if (cache.decide()) {
    transformer.run_blocks(pass, first, last, attention, &observer);
    cache.keep(cut_input, pass.hidden);
  } else {
    pass.hidden = cache.combine(cut_input);
  }
  transformer.run_blocks(pass, last, transformer.blocks(), attention, &observer);
  if (observer.wants("blocks.residual")) observer.observe("blocks.residual", pass.hidden - first_input);
  return transformer.head(pass, &observer);
}

}  // namespace

CacheOffer cache_offer(const WanTransformerConfig& config, const Request& request, const Scheduler& scheduler) {
  CacheOffer offer;
  offer.cuts = FV_CUT_MODEL | FV_CUT_BLOCKS | (request.guided() ? uint32_t{FV_CUT_BRANCH} : 0u);
  offer.model = model_key(config);
  offer.branches = static_cast<int32_t>(request.branches());
  offer.blocks = static_cast<int32_t>(config.num_layers);
  offer.signals = signal_names(config.num_layers);
  for (const std::string& signal : offer.signals)
    offer.early.push_back(signal == "time.embed" || signal == "time.proj" ? 1 : 0);
  offer.sigmas = scheduler.sigmas();
  offer.timesteps = scheduler.timesteps();
  offer.expert_of_step.assign(offer.timesteps.size(), 0);
  return offer;
}

EarlySignals early_signals(const TimeEmbedding& time) {
  return {{"time.embed", time.embed.split(1)}, {"time.proj", time.proj.split(1)}};
}

at::Tensor cached_pass(StepCache& cache, int32_t step, Branch branch, const at::Tensor& conditional,
                       const TransformerInputs& inputs, const WanTransformer& transformer, Attention& attention) {
  CacheObserver observer(cache);
  cache.begin(step, branch);
  at::Tensor output;
  if (cache.cut().kind == FV_CUT_BLOCKS) {
    output = pass_without_blocks(cache, inputs, transformer, attention, observer);
  } else {
    // The cut is the whole pass: what stands in for it is combined from its input or from the other branch.
    const at::Tensor base = cache.cut().kind == FV_CUT_BRANCH ? conditional : inputs.latents;
    if (observer.wants("latent.in")) observer.observe("latent.in", inputs.latents);
    if (cache.decide()) {
      output = transformer.forward(inputs, attention, &observer);
      cache.keep(inputs.latents, output);
    } else {
      output = cache.combine(base);
      if (observer.wants("model.out")) observer.observe("model.out", output);
    }
  }
  cache.end();
  return output;
}

}  // namespace fastvideo::wan
