// The models of a folder: what is loaded, and how long it stays.
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

/// Loads components when they are asked for and keeps them as their residency says, over several runs. One thread at a
/// time.
class Components {
 public:
  /// The folder is borrowed.
  explicit Components(const WanFolder& folder);

  /// How they are held from here on: to be called at the beginning of a run, before the others. Drops what was loaded
  /// in another dtype or on another device.
  void settle(const Residency& residency);

  /// Whether all can be loaded, and the texts read, by the files' headers and the tokenizer alone. Throws Refused
  /// naming file and tensor, or file and token.
  void check(const Texts& texts, int64_t most_tokens);

  /// Drops all that was loaded: the folder's weights are others now.
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
  /// After a run that ended before its time: what the residency does not keep goes, as at the end of a whole one.
  void abandon() noexcept;
  /// What latents look like. Unless it is there, the decoder is loaded for it once and let go again: nothing of it is
  /// there in the loop.
  const LatentColours& colours(const Progress& progress);

 private:
  // The decoder keeps the attention it was made with, and each run has its own.
  class AttentionOfRun final : public Attention {
   public:
    void set(Attention& attention) { attention_ = &attention; }
    at::Tensor run(const AttentionCall& call) override { return attention_->run(call); }

   private:
    Attention* attention_ = nullptr;
  };
  const Residency& residency() const { return residency_.value(); }

  const WanFolder& folder_;
  std::optional<Residency> residency_;  // empty: nothing was loaded yet
  bool is_outlined_ = false;            // the weights were found to fit
  std::unique_ptr<PromptEncoder> prompts_;
  Component<WanTransformer> transformer_{"load transformer"};
  AttentionOfRun decoder_attention_;
  Component<AutoencoderKLWanDecoder> decoder_{"load VAE"};
  std::optional<LatentColours> colours_;
};

}  // namespace fastvideo::wan
