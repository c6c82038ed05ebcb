// A model family of its own, from a folder to frames, out of what pipelines/common gives any family.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <fastvideo/pipeline.hpp>
#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/common/diffusers_folder/diffusers_folder.hpp"
#include "pipelines/common/diffusion/cached_pass.hpp"
#include "pipelines/common/diffusion/denoise.hpp"
#include "pipelines/common/request/noise.hpp"
#include "pipelines/common/request/video_request.hpp"
#include "pipelines/common/residency/run_plan.hpp"
#include "pipelines/common/residency/text_stage.hpp"
#include "pipelines/common/text/prompts/cut_prompt.hpp"
#include "tests/two_stream_pipeline/transformer.hpp"
#include "tests/two_stream_pipeline/vae.hpp"

namespace fastvideo::two_stream {

// Guidance in one batch.
class TwoStreamModel final : public DenoisingModel {
 public:
  TwoStreamModel(const Transformer& model, const RunInputs& inputs) : model_(model), inputs_(inputs) {}
  bool branches_at_once() const override { return true; }
  std::unique_ptr<ModelPass> pass(const at::Tensor& latents, int32_t step, std::span<const int32_t>) const override {
    return std::make_unique<TwoStreamPass>(model_, inputs_, latents, step);
  }

 private:
  const Transformer& model_;
  const RunInputs& inputs_;
};

inline const DiffusersFolder& checked(const DiffusersFolder& folder) {
  folder.require_folders({"scheduler", "text_encoder", "text_encoder_2", "transformer", "vae"});
  folder.require_class("transformer", {"TwoStreamTransformer"});
  return folder;
}

class TwoStreamPipeline final : public Pipeline {
 public:
  TwoStreamPipeline(const Host&, const std::string& path)
      : folder_(checked(DiffusersFolder(path))),
        scheduler_(read_scheduler_config(folder_.path() / "scheduler" / "scheduler_config.json")),
        texts_{TextConfig::read(config("text_encoder")), TextConfig::read(config("text_encoder_2"))},
        transformer_(TransformerConfig::read(config("transformer"))) {
    const std::array<WantedWeights, 4> wanted{{{"text_encoder", "model", weights_[0]},
                                               {"text_encoder_2", "model", weights_[1]},
                                               {"transformer", "model", weights_[2]},
                                               {"vae", "model", weights_[3]}}};
    find_weights(folder_.path(), wanted, "");
  }

  void check(const Options& parameters, const fv_pipeline_plan_sink& sink) override {
    const Asked asked = prepared(parameters);
    const auto bytes = [&](size_t i) { return weights_[i].bytes_at(c10::elementSize(asked.residency.dtype)); };
    const auto tokens = static_cast<uint64_t>((asked.shape.tokens() + asked.length) * asked.request.branches());
    const auto width = static_cast<uint64_t>(transformer_.dim) * sizeof(float);
    const auto pixels = static_cast<uint64_t>(asked.request.size.height * asked.request.size.width);
    tell({.sites = sites_of(asked),
          .components = {{"text_encoder", bytes(0) + bytes(1)}, {"transformer", bytes(2)}, {"vae", bytes(3)}},
          .peaks = stage_peaks(asked.residency, {bytes(0) + bytes(1), static_cast<uint64_t>(asked.length) * width * 12},
                               {bytes(2), tokens * width * 16}, {bytes(3), pixels * 64}, !asked.texts.later.empty()),
          .cache = offer_of(asked),
          .loop = {.video = static_cast<uint64_t>(asked.shape.tokens()) * width, .streams = tokens * width}},
         sink);
  }

  void run(const Host& run, const Options& parameters, const PipelineSink& sink) override {
    with_short_torch_errors([&] {
      const c10::InferenceMode inference;
      lend_torch_threads(run);
      const Progress progress(run);
      const Asked asked = prepared(parameters);
      const at::Device device = asked.residency.device;
      const std::unique_ptr<Scheduler> scheduler = scheduler_for(asked.request, scheduler_);
      HostAttention attention(run, sites_of(asked), device);
      const std::unique_ptr<StepCache> cache = StepCache::open(run, offer_of(asked));
      settle(asked.residency);

      RunInputs inputs;
      inputs.layout.grid = {asked.shape.grid_t, asked.shape.grid_h, asked.shape.grid_w};
      inputs.layout.patch = {1, TransformerConfig::kPatch, TransformerConfig::kPatch};
      set_token_order(inputs.layout, attention.token_order(), device);
      inputs.timesteps = timesteps_on(device, *scheduler);
      inputs.pooled = at::cat(encode(1, run, asked, attention, progress)).squeeze(1);
      std::vector<at::Tensor> text = encode(0, run, asked, attention, progress);
      std::vector<int32_t> lengths;
      for (at::Tensor& rows : text) {
        lengths.push_back(static_cast<int32_t>(asked.shape.tokens() + rows.size(1)));
        rows = at::constant_pad_nd(rows, {0, 0, 0, asked.length - rows.size(1)});
      }
      inputs.text = at::cat(text);
      inputs.key_lengths = at::tensor(lengths, at::kInt).to(device);

      const Placement placement{asked.residency.dtype, device};
      const Transformer& model = model_.get(
          weights_[2], progress, [&](Weights& weights) { return Transformer(transformer_, weights, placement); });
      progress.stage("denoise", asked.request.num_inference_steps);
      if (cache != nullptr) cache->schedule({});
      const at::Tensor noise = initial_noise(transformer_.channels, asked.shape, asked.request.seed).to(device);
      const at::Tensor latents = denoise(noise, TwoStreamModel(model, inputs), asked.request.guidance(), *scheduler,
                                         attention, cache.get(), progress);
      model_.release(asked.residency.keeps_others());

      const VideoSize& size = asked.request.size;
      sink.video(static_cast<int32_t>(size.width), static_cast<int32_t>(size.height), size.num_frames,
                 static_cast<int32_t>(asked.request.fps), 1);
      sink.latents(*LentTensor(latents.cpu().contiguous()).get());
      Vae& vae = vae_.get(weights_[3], progress, [&](Weights& weights) {
        return Vae(transformer_.channels, weights, {asked.residency.vae_dtype, device});
      });
      progress.stage("decode", latents.size(2));
      vae.decode(latents, sink, progress);
      vae_.release(asked.residency.keeps_others());
    });
  }

 private:
  struct Asked {
    VideoRequest request;
    int64_t length;  // tokens of a text
    Residency residency;
    Texts texts;
    LatentShape shape;
  };
  JsonFile config(const char* component) const { return JsonFile(folder_.path() / component / "config.json"); }

  Asked prepared(const Options& parameters) {
    const LatentGeometry geometry{Vae::kTime, Vae::kSide, 1, TransformerConfig::kPatch, TransformerConfig::kPatch};
    VideoRequest request = parse_video_request(parameters, geometry);
    Texts texts = parse_texts(parameters, request);
    const LatentShape shape = latent_shape(request.size, geometry);
    const int64_t length = parameters.integer("max_sequence_length");
    for (TextStage<TextEncoder>& encoder : encoders_) encoder.expect(texts, length);
    return {std::move(request), length, parse_residency(parameters), std::move(texts), shape};
  }

  CacheOffer offer_of(const Asked& asked) const {
    CacheOffer offer = cache_offer(transformer_.layers[0] + transformer_.layers[1], asked.request.guidance(),
                                   *scheduler_for(asked.request, scheduler_), /*at_once=*/true);
    offer.model = "two-stream-test";
    return offer;
  }

  std::vector<PlannedSite> sites_of(const Asked& asked) const {
    const auto& [request, length, residency, texts, shape] = asked;
    std::vector<PlannedSite> sites;
    for (const TextConfig& text : texts_) {
      PlannedSite& site =
          sites.emplace_back(PlannedSite{TextEncoder::site(text), residency.device, residency.dtype, length, length});
      site.runs = text.layers * std::ssize(texts.to_encode(residency.keeps_text_encoder()));
    }
    for (const bool single : {false, true}) {
      const int64_t tokens = shape.tokens() + length;
      PlannedSite& site =
          sites.emplace_back(PlannedSite{transformer_.site(single), residency.device, residency.dtype, tokens, tokens});
      site.batch = request.branches();
      site.grid = {shape.grid_t, shape.grid_h, shape.grid_w};
      site.tokens_after = length;
      site.steps = request.num_inference_steps;
      site.runs = site.site.layers * site.steps;
    }
    return sites;
  }

  // Models of another type or device are loaded again.
  void settle(const Residency& residency) {
    if (held_ && !held_->loads_as(residency)) {
      for (TextStage<TextEncoder>& encoder : encoders_) encoder.drop();
      model_.drop();
      vae_.drop();
    }
    held_ = residency;
  }

  // What one encoder makes of the text of each branch.
  std::vector<at::Tensor> encode(size_t which, const Host& run, const Asked& asked, Attention& attention,
                                 const Progress& progress) {
    const auto make = [&](Weights& weights) {
      return TextEncoder(texts_[which], weights, {asked.residency.dtype, asked.residency.device});
    };
    const auto read = [&](const TextEncoder& encoder, const std::string& text) {
      std::vector<int64_t> ids;
      for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
      ids.push_back(TextEncoder::kEnd);
      ids = cut_ids(run, "two_stream", text, std::move(ids), asked.length);
      return encoder.encode(at::tensor(ids, at::kLong).unsqueeze(0), asked.length, attention);
    };
    encoders_[which].run(asked.texts, asked.residency, weights_[which], progress, make, read);
    std::vector<at::Tensor> rows;
    for (const std::string& text : asked.texts.now)
      rows.push_back(encoders_[which].store().rows(text).to(asked.residency.device));
    return rows;
  }

  DiffusersFolder folder_;
  SchedulerConfig scheduler_;
  std::array<TextConfig, 2> texts_;
  TransformerConfig transformer_;
  std::array<ComponentWeights, 4> weights_;
  std::optional<Residency> held_;
  std::array<TextStage<TextEncoder>, 2> encoders_{TextStage<TextEncoder>("load text encoder", "encode text"),
                                                  TextStage<TextEncoder>("load text encoder 2", "encode text 2")};
  Component<Transformer> model_{"load transformer"};
  Component<Vae> vae_{"load VAE"};
};

}  // namespace fastvideo::two_stream
