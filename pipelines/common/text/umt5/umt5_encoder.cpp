#include "pipelines/common/text/umt5/umt5_encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <fastvideo/attention.h>

#include <algorithm>
#include <cmath>
#include <fastvideo/core.hpp>
#include <limits>
#include <optional>
#include <string>

#include "pipelines/common/layers/rms_norm.hpp"

namespace fastvideo {
namespace {

// Multiplications below which more threads do not speed up a matrix product: the product takes a tenth of a
// millisecond, and waking a sleeping thread takes a good part of that.
constexpr int64_t kWorthThreads = int64_t{1} << 22;

// Sets LibTorch to one thread, and at the end to as many as before.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace

at::Tensor relative_position_buckets(int64_t length, int64_t buckets, int64_t max_distance) {
  const int64_t per_side = buckets / 2;
  const int64_t exact = per_side / 2;
  const at::Tensor position = at::arange(length, at::kLong);
  const at::Tensor offset = position.unsqueeze(0) - position.unsqueeze(1);  // key minus query
  const at::Tensor distance = offset.abs();
  // In float32, as the models were trained: at the border of two buckets the rounding decides.
  const double range = std::log(static_cast<double>(max_distance) / static_cast<double>(exact));
  const at::Tensor steps = at::log(distance.to(at::kFloat) / exact) / range * (per_side - exact);
  const at::Tensor far = (steps.to(at::kLong) + exact).clamp_max(per_side - 1);
  return (offset > 0).to(at::kLong) * per_side + at::where(distance < exact, distance, far);
}

UMT5Encoder::UMT5Encoder(const UMT5Config& config, Weights& weights, Placement placement)
    : config_(config), site_(site(config)), placement_(placement) {
  const auto take = [&](const std::string& name, at::IntArrayRef shape) {
    return weights.take(name, shape, placement.dtype, placement.device);
  };
  const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
    return take_linear_without_bias(weights, name, in, out, placement);
  };
  const int64_t width = config.d_model;
  const int64_t inner = config.attention_dim();
  weights.name_sizes({{"vocab_size", config.vocab_size},
                      {"d_model", width},
                      {"num_heads * d_kv", inner},
                      {"num_heads", config.num_heads},
                      {"d_ff", config.d_ff},
                      {"relative_attention_num_buckets", config.relative_attention_num_buckets}});
  weights.require_layers("encoder.block.", config.num_layers, "num_layers is " + std::to_string(config.num_layers));

  // The token table has two names, and a file may have either. If the tables differ, the encoder computes with
  // encoder.embed_tokens.
  weights.rename("shared.weight", "encoder.embed_tokens.weight");
  token_table_ = weights.take("encoder.embed_tokens.weight", {config.vocab_size, width}, placement.dtype, at::kCPU);
  weights.skip("shared.weight");
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string block = "encoder.block." + std::to_string(i);
    const std::string attention = block + ".layer.0.SelfAttention.";
    const std::string dense = block + ".layer.1.DenseReluDense.";
    layers_.push_back({
        .attention_norm = take(block + ".layer.0.layer_norm.weight", {width}),
        .q = linear(attention + "q", width, inner),
        .k = linear(attention + "k", width, inner),
        .v = linear(attention + "v", width, inner),
        .o = linear(attention + "o", inner, width),
        .position_bias = take(attention + "relative_attention_bias.weight",
                              {config.relative_attention_num_buckets, config.num_heads}),
        .feed_forward_norm = take(block + ".layer.1.layer_norm.weight", {width}),
        .gate = linear(dense + "wi_0", width, config.d_ff),
        .up = linear(dense + "wi_1", width, config.d_ff),
        .down = linear(dense + "wo", config.d_ff, width),
    });
  }
  final_norm_ = take("encoder.final_layer_norm.weight", {width});
  weights.finish();
}

// T5 does not scale its scores: its initialisation accounts for the head size (Raffel et al. 2020, section 2.1).
AttentionSite UMT5Encoder::site(const UMT5Config& config) {
  return {.name = FV_ROLE_TEXT_SELF,
          .role = FV_ROLE_TEXT_SELF,
          .layers = config.num_layers,
          .heads = config.num_heads,
          .kv_heads = config.num_heads,
          .head_size = config.d_kv,
          .scale = 1.0,
          .masks = FV_MASK_BIAS};
}

at::Tensor UMT5Encoder::encode(std::span<const int64_t> ids, Attention& attention) const {
  const at::Tensor row = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), row.data_ptr<int64_t>());
  return forward(row, {}, attention);
}

at::Tensor UMT5Encoder::forward(const at::Tensor& ids, const at::Tensor& mask, Attention& attention) const {
  if (ids.numel() == 0) throw Refused("a text without tokens cannot be encoded: it has at least its end token");
  const int64_t least = ids.min().item<int64_t>();
  const int64_t most = ids.max().item<int64_t>();
  if (least < 0 || most >= config_.vocab_size)
    throw Refused("token " + std::to_string(least < 0 ? least : most) + " is not in the text encoder's vocabulary of " +
                  std::to_string(config_.vocab_size) + ": tokenizer and text encoder are of different models");

  const int64_t length = ids.size(1);
  const int64_t largest = ids.numel() * config_.d_model * std::max(config_.d_ff, config_.attention_dim());
  std::optional<OneThread> one_thread;
  if (placement_.device.is_cpu() && largest < kWorthThreads) one_thread.emplace();
  const at::Tensor buckets =
      relative_position_buckets(length, config_.relative_attention_num_buckets, config_.relative_attention_max_distance)
          .flatten()
          .to(placement_.device);
  at::Tensor hidden_keys;  // [B, 1, 1, L]
  if (mask.defined()) hidden_keys = mask.logical_not().unsqueeze(1).unsqueeze(1).to(placement_.device);

  at::Tensor x = at::embedding(token_table_, ids).to(placement_.device);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    at::Tensor bias = layer.position_bias.t().index_select(1, buckets).view({1, -1, length, length});
    if (hidden_keys.defined()) bias = bias.masked_fill(hidden_keys, -std::numeric_limits<double>::infinity());
    x = attend(layer, static_cast<int>(i), rms_norm(x, layer.attention_norm, config_.layer_norm_epsilon), bias,
               attention)
            .add_(x);

    const at::Tensor n = rms_norm(x, layer.feed_forward_norm, config_.layer_norm_epsilon);
    x = layer.down(at::gelu(layer.gate(n), "tanh").mul_(layer.up(n))).add_(x);
  }
  return rms_norm(x, final_norm_, config_.layer_norm_epsilon);
}

at::Tensor UMT5Encoder::attend(const Layer& layer, int index, const at::Tensor& x, const at::Tensor& bias,
                               Attention& attention) const {
  const auto heads = [&](const at::Tensor& t) { return t.view({x.size(0), x.size(1), config_.num_heads, -1}); };
  const at::Tensor out = attention.run({.site = site_,
                                        .layer = index,
                                        .q = heads(layer.q(x)),
                                        .k = heads(layer.k(x)),
                                        .v = heads(layer.v(x)),
                                        .mask = bias});
  return layer.o(out.flatten(2));
}

}  // namespace fastvideo
