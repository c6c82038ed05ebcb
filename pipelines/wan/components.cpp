#include "pipelines/wan/components.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {

Components::Components(const WanFolder& folder) : folder_(folder), prompts_(std::make_unique<PromptEncoder>(folder)) {}

void Components::settle(const Residency& residency) {
  if (residency_ && !residency_->loads_as(residency)) forget();
  residency_ = residency;
}

void Components::check(const Texts& texts, int64_t most_tokens) {
  if (!is_outlined_) {
    const c10::InferenceMode inference;
    const auto outline = [](const ComponentWeights& weights) {
      return Weights::outline(weights.folder, weights.files);
    };
    Weights text = outline(folder_.text_encoder_weights), transformer = outline(folder_.transformer_weights),
            vae = outline(folder_.vae_weights);
    AttentionOfRun never_called;
    const UMT5Encoder encoder(folder_.text_encoder, text, {at::kFloat, at::kMeta});
    const WanTransformer denoiser(folder_.transformer, transformer, {at::kFloat, at::kMeta});
    const AutoencoderKLWanDecoder decoder(folder_.vae, vae, at::kFloat, at::kMeta, never_called);
    is_outlined_ = true;
  }
  prompts_->check(texts, most_tokens);
}

void Components::forget() {
  is_outlined_ = false;
  prompts_ = std::make_unique<PromptEncoder>(folder_);
  transformer_.drop();
  decoder_.drop();
  colours_.reset();
}

EncodedPrompts Components::encode(const Host& run, const Request& request, const Texts& texts, Attention& attention,
                                  const Progress& progress) {
  EncodedPrompts prompts = prompts_->encode(run, request, texts, residency(), attention, progress);
  wait_for(residency().device);
  return prompts;
}

const WanTransformer& Components::transformer(const Progress& progress) {
  const bool is_new = !transformer_.is_loaded();
  const WanTransformer& model = transformer_.get(folder_.transformer_weights, progress, [&](Weights& weights) {
    return WanTransformer(folder_.transformer, weights, {residency().dtype, residency().device});
  });
  if (is_new) wait_for(residency().device);
  return model;
}

void Components::release_transformer() {
  wait_for(residency().device);
  transformer_.release(residency().keeps_others());
}

AutoencoderKLWanDecoder& Components::decoder(Attention& attention, const Progress& progress) {
  decoder_attention_.set(attention);
  return decoder_.get(folder_.vae_weights, progress, [&](Weights& weights) {
    return AutoencoderKLWanDecoder(folder_.vae, weights, residency().vae_dtype, residency().device, decoder_attention_);
  });
}

void Components::abandon() noexcept {
  if (!residency_) return;
  prompts_->abandon(*residency_);
  if (!residency_->keeps_others()) {
    transformer_.drop();
    decoder_.drop();
  }
  try {
    give_back(*residency_);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): a device that has failed; the run says why
  }
}

const LatentColours& Components::colours(const Progress& progress) {
  if (colours_) return *colours_;
  const bool was_kept = decoder_.is_loaded();
  SmallAttention small;
  AutoencoderKLWanDecoder& loaded = decoder(small, progress);
  progress.stage("prepare previews");
  colours_ = colours_of(loaded, folder_.vae.z_dim, [&](int64_t, int64_t) { progress.throw_if_cancelled(); });
  wait_for(residency().device);
  decoder_.release(was_kept);
  give_back(residency());
  return *colours_;
}

}  // namespace fastvideo::wan
