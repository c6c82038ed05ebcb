// WanTransformer3DModel: predicts the velocity of noisy latents at a time, given a text (Wan Team 2025, arXiv
// 2503.20314). A pass is embed, blocks in order, head; the pass's observer, if any, gets the signals that it wants of
// signal_names(blocks()).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/diffusion/signals.hpp"
#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/weights/weights.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"
#include "pipelines/wan/transformer/block.hpp"
#include "pipelines/wan/transformer/time_embedder.hpp"
#include "pipelines/wan/transformer/tokens.hpp"

namespace fastvideo::wan {

/// A text's keys and values for all blocks: the same in every step.
struct TextContext {
  std::vector<TextKeyValue> layers;
};

/// The inputs of a forward pass. Text and tokens are borrowed until the end of the pass.
struct TransformerInputs {
  at::Tensor latents;   ///< [B, C, T, H, W], any floating point type and device
  at::Tensor timestep;  ///< [B], in units of training (0..1000)
  const TextContext& text;
  const TokenLayout& tokens;
};

/// A forward pass between embed and head. hidden may be replaced where blocks are left out; the transformer never
/// writes into it.
struct TransformerPass {
  at::Tensor hidden;       ///< [B, L, dim], in the layout's token order
  TimeEmbedding time;      ///< of this pass
  at::Tensor modulations;  ///< float32 [layers, B, 6, dim]
  const TextContext* text;
  const TokenLayout* tokens;
};

/// Immutable after construction; passes may run on several threads at once if the attention allows it.
class WanTransformer {
 public:
  /// Takes all its weights (WanTransformer3DModel's names). In bfloat16, the time embedding, modulation and layer
  /// normalisation stay in float32, as in diffusers. Throws Refused if a weight is missing, misshapen or left over.
  WanTransformer(const WanTransformerConfig& config, Weights& weights, Placement placement);

  const WanTransformerConfig& config() const { return config_; }
  int64_t blocks() const { return static_cast<int64_t>(blocks_.size()); }

  /// text: [B, Lt, text_dim], any floating point type and device. Rows of padding are zeros and are attended to.
  TextContext prepare_text(const at::Tensor& text) const;

  /// The token layout of make_token_layout, on this transformer's device.
  TokenLayout prepare_tokens(std::array<int64_t, 3> latent_size, const at::Tensor& order = {}) const;

  /// timestep: [B]. The result depends on the timestep alone: a caching strategy's early signals.
  TimeEmbedding embed_time(const at::Tensor& timestep) const { return time_(timestep); }

  /// Patches and the time. Throws std::invalid_argument if the inputs do not belong together.
  TransformerPass embed(const TransformerInputs& inputs, SignalObserver* observer = nullptr) const;
  /// Runs blocks [first, last) and replaces pass.hidden.
  void run_blocks(TransformerPass& pass, int64_t first, int64_t last, Attention& attention,
                  SignalObserver* observer = nullptr) const;
  /// [B, out_channels, T, H, W] in the placement's dtype.
  at::Tensor head(const TransformerPass& pass, SignalObserver* observer = nullptr) const;

  /// Signal block.N.modulated without running the block: some strategies decide by it whether to run the block.
  at::Tensor modulated_input(const TransformerPass& pass, int64_t block) const;

 private:
  void check(const TransformerInputs& inputs) const;

  WanTransformerConfig config_;
  Placement placement_;
  Linear patch_embedding_;
  TimeEmbedder time_;
  Linear text_1_, text_2_;
  std::vector<Block> blocks_;
  std::vector<BlockSignals> block_signals_;
  at::Tensor modulation_tables_;  // float32 [layers, 1, 6, dim]
  at::Tensor head_table_;         // float32 [2, dim]: shift, 1 + scale
  Linear head_;
};

}  // namespace fastvideo::wan
