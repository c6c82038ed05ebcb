#include "pipelines/common/diffusion/denoise.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipelines/common/diffusion/bad_step.hpp"
#include "pipelines/common/diffusion/cached_pass.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"

namespace fastvideo {
namespace {

using Rows = std::vector<int32_t>;  // the branch of each row of a pass

std::vector<Rows> passes_of_a_step(const DenoisingModel& model, const Guidance& guidance) {
  if (!guidance.is_on()) return {{kConditional}};
  if (model.branches_at_once()) return {{kConditional, kUnconditional}};
  return {{kConditional}, {kUnconditional}};
}

at::Tensor in_rows(const at::Tensor& latents, const Rows& rows) {
  return rows.size() == 1 ? latents : latents.expand({std::ssize(rows), -1, -1, -1, -1});
}

at::Tensor guided(const Guidance& guidance, const std::vector<at::Tensor>& branches) {
  return guidance.is_on() ? guidance.combine(branches[kConditional], branches[kUnconditional]) : branches[kConditional];
}

}  // namespace

at::Tensor timesteps_on(at::Device device, const Scheduler& scheduler) {
  return at::tensor(scheduler.timesteps(), at::kDouble).to(at::kFloat).to(device);
}

at::Tensor denoise(const at::Tensor& noise, const DenoisingModel& model, const Guidance& guidance, Scheduler& scheduler,
                   HostAttention& attention, StepCache* cache, const Progress& progress,
                   const EstimateObserver& observer) {
  const auto steps = static_cast<int32_t>(scheduler.timesteps().size());
  const std::vector<Rows> passes = passes_of_a_step(model, guidance);
  WatchedAttention watched(attention);
  std::set<int32_t> shortened;  // steps of which the strategy left out a part

  // The model's prediction for each branch at a step, float32. conditional: undefined until that branch is known.
  using RunPass = std::function<at::Tensor(ModelPass & pass, const Rows& rows, const at::Tensor& conditional)>;
  const auto predict = [&](const at::Tensor& latents, int32_t step, const RunPass& run_pass) {
    std::vector<at::Tensor> branches;
    for (const Rows& rows : passes) {
      attention.set_point({step, steps, scheduler.sigmas()[static_cast<size_t>(step)], 0, rows});
      const std::unique_ptr<ModelPass> pass = model.pass(in_rows(latents, rows), step, rows);
      const at::Tensor output = run_pass(*pass, rows, branches.empty() ? at::Tensor() : branches.front());
      for (const at::Tensor& row : output.to(at::kFloat).chunk(std::ssize(rows))) branches.push_back(row);
    }
    return branches;
  };

  const auto blame = [&](const LatentWatch::BadStep& bad) {
    const auto predict_again = [&](Attention& checked) {
      const auto run_checked = [&](ModelPass& pass, const Rows&, const at::Tensor&) {
        const at::Tensor output = run_whole(pass, checked);
        if (!at::isfinite(output).all().item<bool>())
          throw std::runtime_error("no attention site is at fault; the transformer's weights are");
        return output;
      };
      const at::Tensor velocity = guided(guidance, predict(bad.input, bad.step, run_checked));
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
    const int64_t left_out = cache != nullptr ? cache->reused() : 0;
    const auto run_cached = [&](ModelPass& pass, const Rows& rows, const at::Tensor& conditional) {
      progress.throw_if_cancelled();
      return cache == nullptr ? run_whole(pass, watched) : cached_pass(*cache, step, rows, conditional, pass, watched);
    };
    const at::Tensor velocity = guided(guidance, predict(latents, step, run_cached));
    if (cache != nullptr && cache->reused() > left_out) shortened.insert(step);
    watched.note("the prediction", velocity);
    const at::Tensor before = latents;
    latents = scheduler.step(velocity, step, before);
    if (const auto bad = watch.note(step, before, latents)) blame(*bad);
    if (observer.wants && observer.wants(step + 1))
      observer.see(before - velocity * scheduler.sigmas()[static_cast<size_t>(step)]);
    progress.step(step + 1);
  }
  if (const auto bad = watch.finish()) blame(*bad);
  if (cache != nullptr) cache->finish();
  attention.set_point({});
  return latents;
}

}  // namespace fastvideo
