#include "pipelines/wan/denoise.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <optional>

#include "pipelines/wan/cached_pass.hpp"
#include "pipelines/wan/latent_watch.hpp"

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

  // Runs a bad step again with a look at every site, and says what is to be said.
  const auto blame = [&](const LatentWatch::BadStep& bad) {
    const std::string what = "the latents of step " + std::to_string(bad.step + 1) + " of " + std::to_string(steps) +
                             " hold " + defect_of(bad.output) + ": ";
    CheckedAttention checked(attention);
    std::string why = "no attention site is at fault; the weights, the guidance scale or the scheduler are";
    try {
      for (int32_t branch = 0; branch < request.branches(); ++branch) {
        attention.set_point({bad.step, steps, scheduler.sigmas()[static_cast<size_t>(bad.step)], 0, {branch}});
        const TextContext& text = branch == kConditional ? conditional_text : *unconditional_text;
        transformer.forward({bad.input, timesteps.narrow(0, bad.step, 1), text, tokens}, checked);
      }
    } catch (const std::runtime_error& e) {
      why = e.what();
    }
    throw std::runtime_error(what + why);
  };

  LatentWatch watch;
  at::Tensor latents = noise;
  for (int32_t step = 0; step < steps; ++step) {
    const auto predict = [&](Branch branch, const TextContext& text, const at::Tensor& conditional) {
      progress.throw_if_cancelled();
      attention.set_point({step, steps, scheduler.sigmas()[static_cast<size_t>(step)], 0, {branch}});
      const TransformerInputs inputs{latents, timesteps.narrow(0, step, 1), text, tokens};
      const at::Tensor output = cache == nullptr
                                    ? transformer.forward(inputs, attention)
                                    : cached_pass(*cache, step, branch, conditional, inputs, transformer, attention);
      return output.to(at::kFloat);
    };
    at::Tensor velocity = predict(kConditional, conditional_text, {});
    if (request.guided()) {
      const at::Tensor unconditional = predict(kUnconditional, *unconditional_text, velocity);
      velocity = unconditional + request.guidance_scale * (velocity - unconditional);
    }
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
