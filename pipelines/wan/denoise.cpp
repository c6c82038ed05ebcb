#include "pipelines/wan/denoise.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <optional>
#include <set>
#include <stdexcept>

#include "pipelines/wan/bad_step.hpp"
#include "pipelines/wan/cached_pass.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"

namespace fastvideo::wan {

at::Tensor initial_noise(const Shape& shape, int64_t channels, uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn({1, channels, shape.latent_frames, shape.latent_height, shape.latent_width}, generator,
                   at::TensorOptions().dtype(at::kFloat));
}

at::Tensor timesteps_on(at::Device device, const Scheduler& scheduler) {
  return at::tensor(scheduler.timesteps(), at::kDouble).to(at::kFloat).to(device);
}

at::Tensor denoise(const at::Tensor& noise, const Request& request, const Shape& shape, const EncodedPrompts& prompts,
                   const WanTransformer& transformer, Scheduler& scheduler, HostAttention& attention, StepCache* cache,
                   const Progress& progress) {
  const std::vector<double>& times = scheduler.timesteps();
  const auto steps = static_cast<int32_t>(times.size());
  progress.stage("denoise", steps);

  // What is the same in every step.
  const TokenLayout tokens = transformer.prepare_tokens({shape.latent_frames, shape.latent_height, shape.latent_width},
                                                        attention.token_order());
  const TextContext conditional_text = transformer.prepare_text(prompts.conditional);
  std::optional<TextContext> unconditional_text;
  if (request.guided()) unconditional_text = transformer.prepare_text(prompts.unconditional);
  const at::Tensor timesteps = timesteps_on(request.device, scheduler);
  if (cache != nullptr) cache->schedule(early_signals(transformer.embed_time(timesteps)));

  const auto guided = [&](const at::Tensor& conditional, const at::Tensor& unconditional) {
    return unconditional + request.guidance_scale * (conditional - unconditional);
  };
  WatchedAttention watched(attention);
  std::set<int32_t> shortened;  // steps of which the strategy left out a part

  const auto blame = [&](const LatentWatch::BadStep& bad) {
    const auto predict_again = [&](Attention& checked) {
      std::vector<at::Tensor> outputs;
      for (int32_t branch = 0; branch < request.branches(); ++branch) {
        attention.set_point({bad.step, steps, scheduler.sigmas()[static_cast<size_t>(bad.step)], 0, {branch}});
        const TextContext& text = branch == kConditional ? conditional_text : *unconditional_text;
        outputs.push_back(
            transformer.forward({bad.input, timesteps.narrow(0, bad.step, 1), text, tokens}, checked).to(at::kFloat));
        if (!at::isfinite(outputs.back()).all().item<bool>())
          throw std::runtime_error("no attention site is at fault; the transformer's weights are");
      }
      const at::Tensor velocity = request.guided() ? guided(outputs[0], outputs[1]) : outputs[0];
      if (!at::isfinite(velocity).all().item<bool>())
        throw std::runtime_error("no attention site is at fault; the guidance scale " +
                                 std::to_string(request.guidance_scale) + " is too large");
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
    const auto predict = [&](Branch branch, const TextContext& text, const at::Tensor& conditional) {
      progress.throw_if_cancelled();
      attention.set_point({step, steps, scheduler.sigmas()[static_cast<size_t>(step)], 0, {branch}});
      const TransformerInputs inputs{latents, timesteps.narrow(0, step, 1), text, tokens};
      const at::Tensor output = cache == nullptr
                                    ? transformer.forward(inputs, watched)
                                    : cached_pass(*cache, step, branch, conditional, inputs, transformer, watched);
      return output.to(at::kFloat);
    };
    const int64_t left_out = cache != nullptr ? cache->reused() : 0;
    at::Tensor velocity = predict(kConditional, conditional_text, {});
    if (request.guided()) velocity = guided(velocity, predict(kUnconditional, *unconditional_text, velocity));
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

}  // namespace fastvideo::wan
