// One block of the Wan transformer: self-attention, cross-attention to the text, feed-forward; the first and the last
// modulated by the time (Wan Team 2025, arXiv 2503.20314, section 4.2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/layers/layer_norm.hpp"
#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/layers/rms_norm.hpp"
#include "pipelines/common/weights/weights.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"

namespace fastvideo::wan {

/// The parts of a block's modulation, in the order of its table.
enum Modulation : int64_t {
  kShift,             ///< of the self-attention's input
  kScale,             ///< 1 + scale: the tables of this repository hold the sum
  kGate,              ///< of the self-attention's output
  kFeedForwardShift,  ///< the same for the feed-forward
  kFeedForwardScale,
  kFeedForwardGate,
  kModulations,
};

/// Keys and values of one layer's cross-attention: they depend on the text alone, so they are the same in every step.
struct TextKeyValue {
  at::Tensor k;  ///< [B, Lt, H, D], normalised
  at::Tensor v;  ///< [B, Lt, H, D]
};

/// The attention sites of the blocks: "dit.self" and "dit.cross".
AttentionSite self_attention_site(const WanTransformerConfig& config);
AttentionSite cross_attention_site(const WanTransformerConfig& config);

/// Immutable after construction.
class Block {
 public:
  /// Takes the weights named `blocks.index.`.
  Block(const WanTransformerConfig& config, int64_t index, Weights& weights, Placement placement);

  /// The table that is added to the time's projection: float32 [6, dim], with 1 added to both scales.
  const at::Tensor& modulation_table() const { return modulation_table_; }

  /// text: [B, Lt, dim], after the text embedding.
  TextKeyValue text_key_value(const at::Tensor& text) const;

  /// The input of the self-attention. x: [B, L, dim]; modulation: float32 [B, 6, dim].
  at::Tensor modulated_input(const at::Tensor& x, const at::Tensor& modulation) const;

  /// The block's output, a new tensor. modulated: modulated_input(x, modulation).
  at::Tensor forward(const at::Tensor& x, const at::Tensor& modulated, const at::Tensor& modulation,
                     const TextKeyValue& text, const RotaryTable& rotary, Attention& attention) const;

 private:
  struct Projections {
    Linear q, k, v, out;
    at::Tensor q_norm, k_norm;  // [dim]
  };

  static Projections take_projections(const WanTransformerConfig& config, const std::string& name, Weights& weights,
                                      Placement placement);
  at::Tensor heads(const at::Tensor& x) const;
  at::Tensor self_attention(const at::Tensor& x, const RotaryTable& rotary, Attention& attention) const;
  at::Tensor cross_attention(const at::Tensor& x, const TextKeyValue& text, Attention& attention) const;

  int64_t index_;
  AttentionSite self_site_;
  AttentionSite cross_site_;
  double eps_;
  at::Tensor modulation_table_;
  Projections self_;
  Projections cross_;
  Affine cross_norm_;  // float32 [dim]; undefined without cross_attn_norm
  Linear up_;
  Linear down_;
};

}  // namespace fastvideo::wan
