#include "pipelines/wan/components.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "pipelines/common/residency/loading.hpp"
#include "pipelines/common/text/umt5/umt5_encoder.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {
namespace {

// Until it returns, work that was enqueued belongs to the stage that has just ended.
void wait_for(at::Device device) {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

// The decoder keeps the attention it was made with, and each run has its own.
class AttentionOfRun final : public Attention {
 public:
  void set(Attention& attention) { attention_ = &attention; }
  at::Tensor run(const AttentionCall& call) override { return attention_->run(call); }

 private:
  Attention* attention_ = nullptr;
};

}  // namespace

struct Components::Transformer {
  Transformer(const WanFolder& folder, const Request& request, LoadWatch watch)
      : weights(Weights::open(folder.transformer_weights.folder, folder.transformer_weights.files, std::move(watch))),
        model(folder.transformer, weights, {request.dtype, request.device}) {}
  Weights weights;
  WanTransformer model;
};

struct Components::Decoder {
  Decoder(const WanFolder& folder, const Request& request, LoadWatch watch)
      : weights(Weights::open(folder.vae_weights.folder, folder.vae_weights.files, std::move(watch))),
        model(folder.vae, weights, request.vae_dtype, request.device, attention) {}
  AttentionOfRun attention;
  Weights weights;
  AutoencoderKLWanDecoder model;
};

Components::Components(const WanFolder& folder) : folder_(folder), prompts_(std::make_unique<PromptEncoder>(folder)) {}
Components::~Components() = default;

void Components::begin(const Request& request) {
  const Key key{request.device, request.dtype, request.vae_dtype, request.max_sequence_length};
  if (key_ && !(*key_ == key)) forget();
  key_ = key;
}

void Components::check(const Request& request) {
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
  prompts_->check(request);
}

void Components::forget() {
  is_outlined_ = false;
  forget_prompts();
  transformer_.reset();
  decoder_.reset();
}

void Components::forget_prompts() { prompts_ = std::make_unique<PromptEncoder>(folder_); }

EncodedPrompts Components::encode(const Host& run, const Request& request, Attention& attention,
                                  const Progress& progress) {
  EncodedPrompts prompts = prompts_->encode(run, request, attention, progress);
  wait_for(request.device);
  return prompts;
}

const WanTransformer& Components::transformer(const Request& request, const Progress& progress) {
  if (transformer_ == nullptr) {
    LoadWatch watch = begin_loading(progress, "load transformer", folder_.transformer_weights);
    transformer_ = std::make_unique<Transformer>(folder_, request, std::move(watch));
    wait_for(request.device);
  }
  return transformer_->model;
}

void Components::release_transformer(const Request& request) {
  wait_for(request.device);
  transformer_->weights.require_unchanged();
  if (request.offload == Offload::everything) transformer_.reset();
}

AutoencoderKLWanDecoder& Components::decoder(const Request& request, Attention& attention, const Progress& progress) {
  if (decoder_ == nullptr) {
    LoadWatch watch = begin_loading(progress, "load VAE", folder_.vae_weights);
    decoder_ = std::make_unique<Decoder>(folder_, request, std::move(watch));
  }
  decoder_->attention.set(attention);
  return decoder_->model;
}

void Components::release_decoder(const Request& request) {
  decoder_->weights.require_unchanged();
  if (request.offload == Offload::everything) decoder_.reset();
}

}  // namespace fastvideo::wan
