// The components of a model folder: which are loaded, and how long they stay loaded.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "pipelines/common/residency/component.hpp"
#include "pipelines/common/residency/residency.hpp"
#include "pipelines/wan/preview.hpp"
#include "pipelines/wan/prompt.hpp"
#include "pipelines/wan/transformer/transformer.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

/// Loads components at their first use and keeps them over several runs, as the residency says. One thread at a time.
class Components {
 public:
  /// The folder is borrowed.
  explicit Components(const WanFolder& folder);

  /// Sets the residency from here on: call it at the beginning of a run, before the other functions. Drops components
  /// that were loaded in another dtype or on another device.
  void settle(const Residency& residency);

  /// Checks from the files' headers and the tokenizer alone that all components can be loaded and the texts read.
  /// Throws Refused naming file and tensor, or file and token.
  void check(const Texts& texts, int64_t most_tokens);

  /// Drops all loaded components: the folder's weights have changed.
  void forget();

  /// Text encoder and prompts; the encoder is released when it has read them.
  EncodedPrompts encode(const Host& run, const Request& request, const Texts& texts, Attention& attention,
                        const Progress& progress);
  /// Prompts are encoded anew from here on.
  void forget_prompts() { prompts_->forget_prompts(); }
  /// Loaded until release_transformer.
  const WanTransformer& transformer(const Progress& progress);
  void release_transformer();
  /// Loaded until release_decoder; calls `attention`, which must live as long.
  AutoencoderKLWanDecoder& decoder(Attention& attention, const Progress& progress);
  void release_decoder() {
    decoder_.release(residency().keeps_others());
    give_back(residency());
  }
  /// Call after a run that ended early: frees the components that the residency does not keep, as at the end of a whole
  /// run.
  void abandon() noexcept;
  /// The colours of latents, measured once with the decoder, which is loaded for that if it is not and freed before the
  /// denoising loop.
  const LatentColours& colours(const Progress& progress);

 private:
  // Forwards to the attention of the current run, since the decoder keeps the attention it was made with.
  class AttentionOfRun final : public Attention {
   public:
    void set(Attention& attention) { attention_ = &attention; }
    at::Tensor run(const AttentionCall& call) override { return attention_->run(call); }

   private:
    Attention* attention_ = nullptr;
  };
  const Residency& residency() const { return residency_.value(); }

  const WanFolder& folder_;
  std::optional<Residency> residency_;  // empty: no component was loaded yet
  bool is_outlined_ = false;            // the weights were checked and fit
  std::unique_ptr<PromptEncoder> prompts_;
  Component<WanTransformer> transformer_{"load transformer"};
  AttentionOfRun decoder_attention_;
  Component<AutoencoderKLWanDecoder> decoder_{"load VAE"};
  std::optional<LatentColours> colours_;
};

}  // namespace fastvideo::wan
