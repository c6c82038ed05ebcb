// A small text encoder over the bytes of a text, of two kinds: causal (a token sees itself and those before it), which
// gives every token out, and padded (all see all that is text), which gives their mean.
#pragma once

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <cmath>
#include <string>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/diffusers_folder/json_file.hpp"
#include "pipelines/common/layers/linear.hpp"
#include "pipelines/common/layers/rms_norm.hpp"

namespace fastvideo::two_stream {

inline constexpr double kEps = 1e-6;

/// config.json of an encoder; positions: tokens that it can read.
struct TextConfig {
  bool causal;
  int64_t width, heads, kv_heads, head_size, layers, positions;

  static TextConfig read(const JsonFile& json) {
    const auto size = [&](const char* key) { return json.integer(key, 0); };
    return {json.boolean("causal", false),
            size("width"),
            size("heads"),
            size("kv_heads"),
            size("head_size"),
            size("layers"),
            size("positions")};
  }
};

class TextEncoder {
 public:
  static constexpr int64_t kEnd = 256;  ///< the token after a text's bytes

  TextEncoder(const TextConfig& config, Weights& weights, Placement placement)
      : config_(config), site_(site(config)), placement_(placement) {
    const auto take = [&](const std::string& name, at::IntArrayRef shape) {
      return weights.take(name, shape, placement.dtype, placement.device);
    };
    const int64_t width = config.width, q = config.heads * config.head_size, kv = config.kv_heads * config.head_size;
    tokens_ = take("tokens", {kEnd + 1, width});
    positions_ = take("positions", {config.positions, width});
    norm_ = take("norm", {width});
    for (int64_t i = 0; i < config.layers; ++i) {
      const std::string name = "layers." + std::to_string(i) + ".";
      layers_.push_back({.norm_1 = take(name + "norm_1", {width}),
                         .norm_2 = take(name + "norm_2", {width}),
                         .q = take_linear(weights, name + "q", width, q, placement),
                         .k = take_linear(weights, name + "k", width, kv, placement),
                         .v = take_linear(weights, name + "v", width, kv, placement),
                         .out = take_linear(weights, name + "out", q, width, placement),
                         .up = take_linear(weights, name + "up", width, 2 * width, placement),
                         .down = take_linear(weights, name + "down", 2 * width, width, placement)});
    }
    weights.finish();
  }

  static AttentionSite site(const TextConfig& config) {
    return {.name = config.causal ? "text.causal" : "text.padded",
            .role = FV_ROLE_TEXT_SELF,
            .layers = config.layers,
            .heads = config.heads,
            .kv_heads = config.kv_heads,
            .head_size = config.head_size,
            .scale = 1.0 / std::sqrt(static_cast<double>(config.head_size)),
            .masks = config.causal ? uint32_t{FV_MASK_CAUSAL} : uint32_t{FV_MASK_KEY_LENGTHS}};
  }

  /// ids: [1, L]. causal: [1, L, width]; else, padded to `length`, [1, 1, width].
  at::Tensor encode(const at::Tensor& ids, int64_t length, Attention& attention) const {
    const int64_t count = ids.size(1), padding = config_.causal ? 0 : length - count;
    at::Tensor key_lengths;
    if (!config_.causal) key_lengths = at::tensor({count}, at::kInt).to(placement_.device);
    const at::Tensor row = at::constant_pad_nd(ids, {0, padding}).to(placement_.device);
    at::Tensor x = at::embedding(tokens_, row) + positions_.narrow(0, 0, row.size(1));
    const auto heads = [&](const at::Tensor& t) { return t.unflatten(-1, {-1, config_.head_size}); };
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const at::Tensor n = rms_norm(x, layer.norm_1, kEps);
      const at::Tensor y = attention.run({.site = site_,
                                          .layer = static_cast<int64_t>(i),
                                          .q = heads(layer.q(n)),
                                          .k = heads(layer.k(n)),
                                          .v = heads(layer.v(n)),
                                          .key_lengths = key_lengths});
      x = x + layer.out(y.flatten(2));
      x = x + layer.down(layer.up.with_gelu(rms_norm(x, layer.norm_2, kEps)));
    }
    x = rms_norm(x, norm_, kEps);
    return config_.causal ? x : x.narrow(1, 0, count).mean(1, /*keepdim=*/true);
  }

 private:
  struct Layer {
    at::Tensor norm_1, norm_2;
    Linear q, k, v, out, up, down;
  };
  TextConfig config_;
  AttentionSite site_;
  Placement placement_;
  at::Tensor tokens_, positions_, norm_;
  std::vector<Layer> layers_;
};

}  // namespace fastvideo::two_stream
