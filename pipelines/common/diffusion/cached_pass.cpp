#include "pipelines/common/diffusion/cached_pass.hpp"

#include <ATen/ATen.h>

#include <string>
#include <string_view>

namespace fastvideo {
namespace {

class CacheObserver final : public SignalObserver {
 public:
  explicit CacheObserver(StepCache& cache) : cache_(cache) {}
  bool wants(std::string_view signal) override { return cache_.wants(signal); }
  void observe(std::string_view signal, const at::Tensor& value) override { cache_.measure(signal, value); }

 private:
  StepCache& cache_;
};

at::Tensor pass_without_blocks(StepCache& cache, ModelPass& pass, Attention& attention, SignalObserver& observer) {
  const int64_t first = cache.cut().first, last = cache.cut().last;
  pass.embed(&observer);
  const at::Tensor first_input = pass.streams().front();
  pass.run_blocks(0, first, attention, &observer);
  const std::string modulated = BlockSignals(first).modulated;
  if (observer.wants(modulated)) observer.observe(modulated, pass.modulated_input(first));

  const Streams cut_input = pass.streams();
  if (cache.decide()) {
    pass.run_blocks(first, last, attention, &observer);
    cache.keep(cut_input, pass.streams());
  } else {
    pass.replace(cache.combine(cut_input));
  }
  pass.run_blocks(last, pass.blocks(), attention, &observer);
  publish_difference(&observer, "blocks.residual", pass.streams().front(), first_input);
  return pass.head(&observer);
}

}  // namespace

CacheOffer cache_offer(int64_t blocks, const Guidance& guidance, const Scheduler& scheduler, bool at_once) {
  CacheOffer offer;
  offer.cuts = FV_CUT_MODEL | FV_CUT_BLOCKS | (guidance.is_on() && !at_once ? uint32_t{FV_CUT_BRANCH} : 0u);
  offer.branches = guidance.branches();
  offer.branches_at_once = at_once ? offer.branches : 1;
  offer.blocks = static_cast<int32_t>(blocks);
  offer.signals = signal_names(blocks);
  offer.early.assign(offer.signals.size(), 0);
  offer.sigmas = scheduler.sigmas();
  offer.timesteps = scheduler.timesteps();
  offer.expert_of_step.assign(offer.timesteps.size(), 0);
  return offer;
}

at::Tensor cached_pass(StepCache& cache, int32_t step, std::span<const int32_t> rows, const at::Tensor& conditional,
                       ModelPass& pass, Attention& attention) {
  CacheObserver observer(cache);
  cache.begin(step, rows);
  at::Tensor output;
  if (cache.cut().kind == FV_CUT_BLOCKS) {
    output = pass_without_blocks(cache, pass, attention, observer);
  } else {
    // The cut is the whole pass: its replacement is combined from the pass's input or from the other branch's output.
    const at::Tensor base = cache.cut().kind == FV_CUT_BRANCH ? conditional : pass.latents();
    if (observer.wants("latent.in")) observer.observe("latent.in", pass.latents());
    if (cache.decide()) {
      output = run_whole(pass, attention, &observer);
      cache.keep(pass.latents(), output);
    } else {
      output = cache.combine(base);
      if (observer.wants("model.out")) observer.observe("model.out", output);
    }
  }
  cache.end();
  return output;
}

}  // namespace fastvideo
