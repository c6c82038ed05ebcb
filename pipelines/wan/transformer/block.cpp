#include "pipelines/wan/transformer/block.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace fastvideo::wan {
namespace {

// Layer normalisation with one affine map for all tokens, computed in float32. weight, bias: float32 [dim].
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  // The CPU kernel takes bfloat16 beside float32 parameters, the CUDA one does not.
  const at::Tensor in = x.is_cpu() ? x : x.to(at::kFloat);
  return at::layer_norm(in, {x.size(-1)}, weight, bias, eps).to(x.scalar_type());
}

// x + y * gate in float32, rounded once, written over y. gate: float32 [B, dim].
at::Tensor add_gated(const at::Tensor& x, at::Tensor y, const at::Tensor& gate) {
  return at::addcmul_out(y, x, y, gate.unsqueeze(1));
}

}  // namespace

at::Tensor modulated_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double eps) {
  if (x.size(0) == 1) return layer_norm(x, scale[0], shift[0], eps);
  const at::Tensor normed = at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, eps);
  return at::addcmul(shift.unsqueeze(1), normed, scale.unsqueeze(1)).to(x.scalar_type());
}

Block::Block(const WanTransformerConfig& config, int64_t index, Weights& weights, Placement placement)
    : index_(static_cast<int>(index)),
      num_heads_(config.num_attention_heads),
      scale_(1.0 / std::sqrt(static_cast<double>(config.attention_head_dim))),
      eps_(config.eps) {
  const std::string name = "blocks." + std::to_string(index) + ".";
  const int64_t dim = config.inner_dim();
  const auto take_float32 = [&](const std::string& of, at::IntArrayRef shape) {
    return weights.take(name + of, shape, at::kFloat, placement.device);
  };
  at::Tensor table = take_float32("scale_shift_table", {1, kModulations, dim})[0].clone();
  table.select(0, kScale).add_(1);
  table.select(0, kFeedForwardScale).add_(1);
  modulation_table_ = table;
  self_ = take_projections(config, name + "attn1.", weights, placement);
  cross_ = take_projections(config, name + "attn2.", weights, placement);
  if (config.cross_attn_norm) {
    cross_norm_weight_ = take_float32("norm2.weight", {dim});
    cross_norm_bias_ = take_float32("norm2.bias", {dim});
  }
  up_ = take_linear(weights, name + "ffn.net.0.proj", dim, config.ffn_dim, placement);
  down_ = take_linear(weights, name + "ffn.net.2", config.ffn_dim, dim, placement);
}

Block::Projections Block::take_projections(const WanTransformerConfig& config, const std::string& name,
                                           Weights& weights, Placement placement) {
  const int64_t dim = config.inner_dim();
  return {.q = take_linear(weights, name + "to_q", dim, dim, placement),
          .k = take_linear(weights, name + "to_k", dim, dim, placement),
          .v = take_linear(weights, name + "to_v", dim, dim, placement),
          .out = take_linear(weights, name + "to_out.0", dim, dim, placement),
          .q_norm = weights.take(name + "norm_q.weight", {dim}, placement.dtype, placement.device),
          .k_norm = weights.take(name + "norm_k.weight", {dim}, placement.dtype, placement.device)};
}

at::Tensor Block::heads(const at::Tensor& x) const { return x.view({x.size(0), x.size(1), num_heads_, -1}); }

TextKeyValue Block::text_key_value(const at::Tensor& text) const {
  return {heads(rms_norm_rotary(cross_.k(text), cross_.k_norm, eps_)), heads(cross_.v(text))};
}

at::Tensor Block::modulated_input(const at::Tensor& x, const at::Tensor& modulation) const {
  return modulated_norm(x, modulation.select(1, kScale), modulation.select(1, kShift), eps_);
}

at::Tensor Block::forward(const at::Tensor& x, const at::Tensor& modulated, const at::Tensor& modulation,
                          const TextKeyValue& text, const RotaryTable& rotary, Attention& attention) const {
  at::Tensor y = attention.run({.role = "dit.self",
                                .layer = index_,
                                .q = heads(rms_norm_rotary(self_.q(modulated), self_.q_norm, eps_, &rotary)),
                                .k = heads(rms_norm_rotary(self_.k(modulated), self_.k_norm, eps_, &rotary)),
                                .v = heads(self_.v(modulated)),
                                .bias = {},
                                .scale = scale_});
  const at::Tensor after_self = add_gated(x, self_.out(y.flatten(2)), modulation.select(1, kGate));

  const at::Tensor normed =
      cross_norm_weight_.defined() ? layer_norm(after_self, cross_norm_weight_, cross_norm_bias_, eps_) : after_self;
  y = attention.run({.role = "dit.cross",
                     .layer = index_,
                     .q = heads(rms_norm_rotary(cross_.q(normed), cross_.q_norm, eps_)),
                     .k = text.k,
                     .v = text.v,
                     .bias = {},
                     .scale = scale_});
  const at::Tensor after_cross = cross_.out(y.flatten(2)).add_(after_self);

  y = modulated_norm(after_cross, modulation.select(1, kFeedForwardScale), modulation.select(1, kFeedForwardShift),
                     eps_);
  y = up_(y);
  at::gelu_(y, "tanh");
  return add_gated(after_cross, down_(y), modulation.select(1, kFeedForwardGate));
}

}  // namespace fastvideo::wan
