#include "pipelines/wan/transformer/block.hpp"

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <cmath>
#include <utility>

namespace fastvideo::wan {
namespace {

Affine affine(const at::Tensor& modulation, Modulation scale, Modulation shift) {
  return {modulation.select(1, scale), modulation.select(1, shift)};
}

AttentionSite site_of(const char* role, const WanTransformerConfig& config) {
  return {.name = role,
          .role = role,
          .layers = config.num_layers,
          .heads = config.num_attention_heads,
          .kv_heads = config.num_attention_heads,
          .head_size = config.attention_head_dim,
          .scale = 1.0 / std::sqrt(static_cast<double>(config.attention_head_dim))};
}

}  // namespace

AttentionSite self_attention_site(const WanTransformerConfig& config) { return site_of(FV_ROLE_DIT_SELF, config); }
AttentionSite cross_attention_site(const WanTransformerConfig& config) { return site_of(FV_ROLE_DIT_CROSS, config); }

Block::Block(const WanTransformerConfig& config, int64_t index, Weights& weights, Placement placement)
    : index_(index),
      self_site_(self_attention_site(config)),
      cross_site_(cross_attention_site(config)),
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
    cross_norm_.scale = take_float32("norm2.weight", {dim});
    cross_norm_.shift = take_float32("norm2.bias", {dim});
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

at::Tensor Block::heads(const at::Tensor& x) const { return x.view({x.size(0), x.size(1), self_site_.heads, -1}); }

TextKeyValue Block::text_key_value(const at::Tensor& text) const {
  return {heads(rms_norm_rotary(cross_.k(text), cross_.k_norm, eps_)), heads(cross_.v(text))};
}

at::Tensor Block::modulated_input(const at::Tensor& x, const at::Tensor& modulation) const {
  return layer_norm(x, affine(modulation, kScale, kShift), eps_);
}

at::Tensor Block::self_attention(const at::Tensor& x, const RotaryTable& rotary, Attention& attention) const {
  const at::Tensor y = attention.run({.site = self_site_,
                                      .layer = index_,
                                      .q = heads(rms_norm_rotary(self_.q(x), self_.q_norm, eps_, &rotary)),
                                      .k = heads(rms_norm_rotary(self_.k(x), self_.k_norm, eps_, &rotary)),
                                      .v = heads(self_.v(x))});
  return self_.out(y.flatten(2));
}

at::Tensor Block::cross_attention(const at::Tensor& x, const TextKeyValue& text, Attention& attention) const {
  const at::Tensor y = attention.run({.site = cross_site_,
                                      .layer = index_,
                                      .q = heads(rms_norm_rotary(cross_.q(x), cross_.q_norm, eps_)),
                                      .k = text.k,
                                      .v = text.v});
  return cross_.out(y.flatten(2));
}

at::Tensor Block::forward(const at::Tensor& x, const at::Tensor& modulated, const at::Tensor& modulation,
                          const TextKeyValue& text, const RotaryTable& rotary, Attention& attention) const {
  at::Tensor y = self_attention(modulated, rotary, attention);
  const at::Tensor gate = modulation.select(1, kGate);
  SumAndNorm stream;
  if (cross_norm_.scale.defined())
    stream = add_and_norm(x, std::move(y), gate, cross_norm_, eps_);
  else
    stream.sum = stream.normed = add_gated(x, std::move(y), gate);

  y = cross_attention(stream.normed, text, attention);
  stream = add_and_norm(stream.sum, std::move(y), {}, affine(modulation, kFeedForwardScale, kFeedForwardShift), eps_);

  y = down_(up_.with_gelu(stream.normed));
  return add_gated(stream.sum, std::move(y), modulation.select(1, kFeedForwardGate));
}

}  // namespace fastvideo::wan
