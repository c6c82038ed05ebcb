#include "pipelines/wan/wan_pipeline.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/diffusion/bad_step.hpp"
#include "pipelines/common/kernels/kernels.hpp"
#include "pipelines/common/request/noise.hpp"
#include "pipelines/common/residency/run_plan.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"
#include "pipelines/common/weights/weights.hpp"
#include "pipelines/wan/decode.hpp"
#include "pipelines/wan/denoising_model.hpp"
#include "pipelines/wan/memory.hpp"
#include "pipelines/wan/sites.hpp"

namespace fastvideo::wan {
namespace {

LatentGeometry geometry_of(const WanFolder& folder) {
  return {folder.vae.temporal_stride(), folder.vae.spatial_stride(), folder.transformer.patch_size[0],
          folder.transformer.patch_size[1], folder.transformer.patch_size[2]};
}

// Logs that a run on CUDA cannot use the project's kernels.
void report_kernels(const Host& run, at::Device device) {
  if (!device.is_cuda() || kernels::runs_on(from_device(device).index)) return;
  run.log(FV_LOG_WARNING, "wan",
          kernels::built()
              ? "this GPU is older than compute capability 8.0: norms run on LibTorch's kernels, which are slower"
              : "this build has no CUDA kernels of its own (no nvcc was found when it was configured): norms "
                "run on LibTorch's, which are slower");
}

}  // namespace

WanPipeline::WanPipeline(const Host& host, const std::string& folder)
    : host_(host), folder_(open_wan_folder(folder)), geometry_(geometry_of(folder_)), components_(folder_) {}

WanPipeline::Asked WanPipeline::prepared(const Options& parameters) {
  Request request = parse_request(parameters, geometry_);
  Residency residency = parse_residency(parameters);
  Texts texts = parse_texts(parameters, request);
  const LatentShape shape = latent_shape(request.size, geometry_);
  if (variant_ != residency.variant) choose_weights(residency.variant);
  components_.check(texts, request.max_sequence_length);
  return {std::move(request), std::move(residency), std::move(texts), shape};
}

std::vector<PlannedSite> WanPipeline::sites_of(const Asked& asked) const {
  const std::vector<std::string> texts = asked.texts.to_encode(asked.residency.keeps_text_encoder());
  return plan_sites(asked.request, std::ssize(texts), asked.residency, asked.shape, folder_);
}

void WanPipeline::choose_weights(const std::string& variant) {
  find_weights(folder_, variant);
  if (variant_) components_.forget();
  variant_ = variant;
  for (const ComponentWeights* weights :
       {&folder_.text_encoder_weights, &folder_.transformer_weights, &folder_.vae_weights}) {
    if (weights->left_over.empty()) continue;
    std::string text =
        weights->folder.filename().string() + ": read from " + weights->files.front().filename().string();
    if (weights->files.size() > 1) text += " and " + std::to_string(weights->files.size() - 1) + " more";
    text += "; left over, and not read:";
    for (const std::string& name : weights->left_over) text += " " + name;
    host_.log(FV_LOG_INFO, "wan", text);
  }
}

void WanPipeline::check(const Options& parameters, const fv_pipeline_plan_sink& sink) {
  const Asked asked = prepared(parameters);
  const auto& [request, residency, texts, shape] = asked;
  tell({.sites = sites_of(asked),
        .components = component_bytes(folder_, residency),
        .peaks = stage_peaks(folder_, request, residency, shape, texts),
        .cache = wan_cache_offer(folder_.transformer, request, *scheduler_for(request, folder_.scheduler)),
        .loop = loop_bytes(folder_.transformer, residency, shape)},
       sink);
}

std::vector<double> WanPipeline::measure_early(const Options& parameters, std::span<const fv_cache_measure> measures) {
  const c10::InferenceMode inference;
  const auto [request, residency, texts, shape] = prepared(parameters);
  const std::unique_ptr<Scheduler> scheduler = scheduler_for(request, folder_.scheduler);
  const Placement placement{residency.dtype, residency.device};
  Weights weights = Weights::open(folder_.transformer_weights.folder, folder_.transformer_weights.files);
  return with_short_torch_errors([&] {
    const TimeEmbedder embedder(folder_.transformer, weights, placement);
    const EarlySignals signals = early_signals(embedder(timesteps_on(placement.device, *scheduler)));
    return early_norms(measures, signals, scheduler->timesteps().size());
  });
}

void WanPipeline::run(const Host& run, const Options& parameters, const PipelineSink& sink) {
  with_short_torch_errors([&] {
    try {
      make_video(run, parameters, sink);
    } catch (...) {
      components_.abandon();
      throw;
    }
  });
}

void WanPipeline::make_video(const Host& run, const Options& parameters, const PipelineSink& sink) {
  const c10::InferenceMode inference;
  lend_torch_threads(run);
  const Progress progress(run);
  if (!parameters.has("prompt")) throw Refused("there is no prompt; say what the video shows with --prompt");
  const Asked asked = prepared(parameters);
  const auto& [request, residency, texts, shape] = asked;
  const at::Device device = residency.device;
  const std::unique_ptr<Scheduler> scheduler = scheduler_for(request, folder_.scheduler);

  report_kernels(run, device);
  HostAttention attention(run, sites_of(asked), device);
  std::unique_ptr<StepCache> cache = StepCache::open(run, wan_cache_offer(folder_.transformer, request, *scheduler));

  components_.settle(residency);
  WatchedAttention watched(attention);
  watched.begin(-1);
  const EncodedPrompts prompts = components_.encode(run, request, texts, watched, progress);
  if (!is_finite(prompts))
    throw std::runtime_error(reason_of_text(watched, attention, [&](Attention& checked) {
      components_.forget_prompts();
      return is_finite(components_.encode(run, asked.request, asked.texts, checked, progress));
    }));

  EstimateObserver previews;
  if (const int32_t every = sink.preview_every(); every > 0) {
    const LatentColours& colours = components_.colours(progress);
    previews.wants = [every](int32_t done) { return done % every == 0; };
    previews.see = [&](const at::Tensor& estimate) { sink.preview(*LentTensor(picture_of(colours, estimate)).get()); };
  }

  at::Tensor latents = initial_noise(folder_.transformer.in_channels, shape, request.seed).to(device);
  {
    const WanTransformer& transformer = components_.transformer(progress);
    progress.stage("denoise", request.num_inference_steps);
    const at::Tensor timesteps = timesteps_on(device, *scheduler);
    const WanDenoisingModel model(transformer, prompts, shape, attention.token_order(), timesteps);
    if (cache != nullptr) cache->schedule(early_signals(transformer.embed_time(timesteps)));
    latents = denoise(latents, model, request.guidance(), *scheduler, attention, cache.get(), progress, previews);
  }
  cache.reset();  // with all the tensors that it keeps
  components_.release_transformer();
  attention.release_scratch();
  give_back(residency);

  sink.video(static_cast<int32_t>(request.size.width), static_cast<int32_t>(request.size.height),
             request.size.num_frames, static_cast<int32_t>(request.fps), 1);
  sink.latents(*LentTensor(latents.cpu().contiguous()).get());
  decode(latents, residency.vae_dtype, components_, attention, sink, progress);
  components_.release_decoder();
}

}  // namespace fastvideo::wan
