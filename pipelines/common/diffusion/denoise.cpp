#include "pipelines/common/diffusion/denoise.hpp"

#include <ATen/ATen.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipelines/common/diffusion/bad_step.hpp"
#include "pipelines/common/diffusion/cached_pass.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"

namespace fastvideo {

at::Tensor denoise(const at::Tensor& noise, const DenoisingModel& model, const Guidance& guidance, Scheduler& scheduler,
                   HostAttention& attention, StepCache* cache, const Progress& progress) {
  const auto steps = static_cast<int32_t>(scheduler.timesteps().size());
  const auto stand_at = [&](int32_t step, Branch branch) {
    attention.set_point({step, steps, scheduler.sigmas()[static_cast<size_t>(step)], 0, {branch}});
  };
  WatchedAttention watched(attention);
  std::set<int32_t> shortened;  // steps of which the strategy left out a part

  const auto blame = [&](const LatentWatch::BadStep& bad) {
    const auto predict_again = [&](Attention& checked) {
      std::vector<at::Tensor> outputs;
      for (int32_t branch = 0; branch < guidance.branches(); ++branch) {
        stand_at(bad.step, Branch{branch});
        outputs.push_back(run_whole(*model.pass(bad.input, bad.step, Branch{branch}), checked).to(at::kFloat));
        if (!at::isfinite(outputs.back()).all().item<bool>())
          throw std::runtime_error("no attention site is at fault; the transformer's weights are");
      }
      const at::Tensor velocity = guidance.is_on() ? guidance.combine(outputs[0], outputs[1]) : outputs[0];
      if (!at::isfinite(velocity).all().item<bool>())
        throw std::runtime_error("no attention site is at fault; the guidance scale " + std::to_string(guidance.scale) +
                                 " is too large");
      return velocity;
    };
    const std::string strategy = shortened.count(bad.step) != 0 ? cache->strategy() : "";
    throw std::runtime_error("the latents of step " + std::to_string(bad.step + 1) + " of " + std::to_string(steps) +
                             " hold " + defect_of(bad.output) + ": " +
                             reason_of({bad, attention, watched, strategy, predict_again}));
  };

  LatentWatch watch;
  at::Tensor latents = noise;
  for (int32_t step = 0; step < steps; ++step) {
    watched.begin(step);
    const auto predict = [&](Branch branch, const at::Tensor& conditional) {
      progress.throw_if_cancelled();
      stand_at(step, branch);
      const std::unique_ptr<ModelPass> pass = model.pass(latents, step, branch);
      const int32_t row = branch;
      const at::Tensor output = cache == nullptr ? run_whole(*pass, watched)
                                                 : cached_pass(*cache, step, {&row, 1}, conditional, *pass, watched);
      return output.to(at::kFloat);
    };
    const int64_t left_out = cache != nullptr ? cache->reused() : 0;
    at::Tensor velocity = predict(kConditional, {});
    if (guidance.is_on()) velocity = guidance.combine(velocity, predict(kUnconditional, velocity));
    if (cache != nullptr && cache->reused() > left_out) shortened.insert(step);
    watched.note("the prediction", velocity);
    const at::Tensor before = latents;
    latents = scheduler.step(velocity, step, before);
    if (const auto bad = watch.note(step, before, latents)) blame(*bad);
    progress.step(step + 1);
  }
  if (const auto bad = watch.finish()) blame(*bad);
  if (cache != nullptr) cache->finish();
  attention.set_point({});
  return latents;
}

}  // namespace fastvideo
