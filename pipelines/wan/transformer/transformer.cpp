#include "pipelines/wan/transformer/transformer.hpp"

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>

namespace fastvideo::wan {
namespace {

// So that messages about shapes that do not fit name the keys of config.json.
Weights& described(Weights& weights, const WanTransformerConfig& config) {
  weights.name_sizes({{"num_attention_heads * attention_head_dim", config.inner_dim()},
                      {"in_channels", config.in_channels},
                      {"out_channels * patch_size", config.out_channels * config.patch_volume()},
                      {"patch_size[0]", config.patch_size[0]},
                      {"patch_size[1]", config.patch_size[1]},
                      {"patch_size[2]", config.patch_size[2]},
                      {"text_dim", config.text_dim},
                      {"freq_dim", config.freq_dim},
                      {"ffn_dim", config.ffn_dim}});
  weights.require_layers("blocks.", config.num_layers, "num_layers is " + std::to_string(config.num_layers));
  return weights;
}

}  // namespace

WanTransformer::WanTransformer(const WanTransformerConfig& config, Weights& weights, Placement placement)
    : config_(config), placement_(placement), time_(config, described(weights, config), placement) {
  const int64_t dim = config.inner_dim();
  const auto [pt, ph, pw] = config.patch_size;

  // A convolution whose stride is its kernel is a linear map of each patch.
  patch_embedding_.weight =
      weights.take("patch_embedding.weight", {dim, config.in_channels, pt, ph, pw}, placement.dtype, placement.device)
          .reshape({dim, -1});
  patch_embedding_.bias = weights.take("patch_embedding.bias", {dim}, placement.dtype, placement.device);
  const std::string condition = "condition_embedder.";
  text_1_ = take_linear(weights, condition + "text_embedder.linear_1", config.text_dim, dim, placement);
  text_2_ = take_linear(weights, condition + "text_embedder.linear_2", dim, dim, placement);

  std::vector<at::Tensor> tables;
  for (int64_t i = 0; i < config.num_layers; ++i) {
    blocks_.emplace_back(config, i, weights, placement);
    block_signals_.emplace_back(i);
    tables.push_back(blocks_.back().modulation_table());
  }
  modulation_tables_ = at::stack(tables).unsqueeze(1);

  at::Tensor head_table = weights.take("scale_shift_table", {1, 2, dim}, at::kFloat, placement.device)[0].clone();
  head_table.select(0, 1).add_(1);
  head_table_ = head_table;
  head_ = take_linear(weights, "proj_out", dim, config.out_channels * config.patch_volume(), placement);
  weights.finish();
}

TextContext WanTransformer::prepare_text(const at::Tensor& text) const {
  at::Tensor x = text_1_(text.to(placement_.device, placement_.dtype));
  at::gelu_(x, "tanh");
  x = text_2_(x);
  TextContext context;
  for (const Block& block : blocks_) context.layers.push_back(block.text_key_value(x));
  return context;
}

TokenLayout WanTransformer::prepare_tokens(std::array<int64_t, 3> latent_size, const at::Tensor& order) const {
  return make_token_layout(config_, latent_size, order, placement_.device);
}

void WanTransformer::check(const TransformerInputs& inputs) const {
  const TokenLayout& layout = inputs.tokens;
  const at::IntArrayRef sizes = inputs.latents.sizes();
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("inputs of a transformer pass: ") + what);
  };
  require(sizes.size() == 5 && sizes[1] == config_.in_channels, "latents are [B, in_channels, T, H, W]");
  for (size_t axis = 0; axis < 3; ++axis)
    require(sizes[axis + 2] == layout.grid[axis] * layout.patch[axis], "the token layout is of another latent size");
  require(inputs.timestep.dim() == 1 && inputs.timestep.size(0) == sizes[0], "one timestep for each batch row");
  require(static_cast<int64_t>(inputs.text.layers.size()) == blocks(), "the text was prepared by another transformer");
  require(blocks_.empty() || inputs.text.layers[0].k.size(0) == sizes[0], "one text for each batch row");
}

TransformerPass WanTransformer::embed(const TransformerInputs& inputs, SignalObserver* observer) const {
  check(inputs);
  publish(observer, "latent.in", inputs.latents);
  TransformerPass pass;
  pass.text = &inputs.text;
  pass.tokens = &inputs.tokens;
  pass.time = embed_time(inputs.timestep);
  pass.modulations = modulation_tables_ + pass.time.proj;
  publish(observer, "time.embed", pass.time.embed);
  publish(observer, "time.proj", pass.time.proj);
  pass.hidden = patch_embedding_(to_patches(inputs.latents.to(placement_.device, placement_.dtype), inputs.tokens));
  return pass;
}

at::Tensor WanTransformer::modulated_input(const TransformerPass& pass, int64_t block) const {
  return blocks_.at(static_cast<size_t>(block)).modulated_input(pass.hidden, pass.modulations[block]);
}

void WanTransformer::run_blocks(TransformerPass& pass, int64_t first, int64_t last, Attention& attention,
                                SignalObserver* observer) const {
  for (int64_t i = first; i < last; ++i) {
    const auto at = static_cast<size_t>(i);
    const BlockSignals& signals = block_signals_.at(at);
    const at::Tensor modulated = modulated_input(pass, i);
    publish(observer, signals.modulated, modulated);
    const at::Tensor out = blocks_[at].forward(pass.hidden, modulated, pass.modulations[i], pass.text->layers[at],
                                               pass.tokens->rotary, attention);
    publish(observer, signals.out, out);
    publish_difference(observer, signals.residual, out, pass.hidden);
    pass.hidden = out;
  }
}

at::Tensor WanTransformer::head(const TransformerPass& pass, SignalObserver* observer) const {
  const at::Tensor table = head_table_ + pass.time.embed.unsqueeze(1);  // [B, 2, dim]
  const at::Tensor normed = layer_norm(pass.hidden, {table.select(1, 1), table.select(1, 0)}, config_.eps);
  at::Tensor out = from_patches(head_(normed), *pass.tokens);
  publish(observer, "model.out", out);
  return out;
}

}  // namespace fastvideo::wan
