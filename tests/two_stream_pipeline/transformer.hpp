// A small transformer over video and text, which attend together: blocks in which each has weights of its own, as in
// Stable Diffusion 3 (Esser et al. 2024, section 4), then blocks that take both as one stream, with other heads.
#pragma once

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <cmath>
#include <string>
#include <vector>

#include "pipelines/common/diffusion/model_pass.hpp"
#include "pipelines/common/diffusion/patches.hpp"
#include "pipelines/common/layers/layer_norm.hpp"
#include "pipelines/common/layers/sinusoidal.hpp"
#include "tests/two_stream_pipeline/text_encoder.hpp"

namespace fastvideo::two_stream {

struct TransformerConfig {
  static constexpr int64_t kPatch = 2;
  int64_t channels, dim, text_dim, pooled_dim, frequencies;
  int64_t layers[2], heads[2];  ///< of blocks of two streams, then of one

  static TransformerConfig read(const JsonFile& json) {
    const auto size = [&](const char* key) { return json.integer(key, 0); };
    return {size("channels"),
            size("dim"),
            size("text_dim"),
            size("pooled_dim"),
            size("frequencies"),
            {size("double_layers"), size("single_layers")},
            {size("double_heads"), size("single_heads")}};
  }

  /// "dit.joint.double" and "dit.joint.single": sites of one role.
  AttentionSite site(bool single) const {
    return {.name = single ? "dit.joint.single" : "dit.joint.double",
            .role = FV_ROLE_DIT_JOINT,
            .layers = layers[single],
            .heads = heads[single],
            .kv_heads = heads[single],
            .head_size = dim / heads[single],
            .scale = 1.0 / std::sqrt(static_cast<double>(dim / heads[single])),
            .masks = FV_MASK_KEY_LENGTHS};
  }
};

/// What all passes of a run read; rows are the branches of guidance.
struct RunInputs {
  PatchLayout layout{};
  at::Tensor text;         ///< [B, Lt, text_dim], padded
  at::Tensor pooled;       ///< [B, pooled_dim]
  at::Tensor key_lengths;  ///< int32 [B]: tokens of the video and of the row's text
  at::Tensor timesteps;    ///< float32 [steps]
};

/// The weights.
struct Transformer {
  struct Stream {
    Linear modulation, qkv, out, up, down;
    at::Tensor q_norm, k_norm;
  };
  struct Block {
    std::vector<Stream> streams;  // video and text, or both as one
    const AttentionSite& site;
    int64_t layer;
  };

  Transformer(const TransformerConfig& c, Weights& weights, Placement in)
      : config(c), placement(in), sites{c.site(false), c.site(true)} {
    const auto linear = [&](const std::string& name, int64_t from, int64_t to) {
      return take_linear(weights, name, from, to, in);
    };
    const int64_t dim = c.dim, patch = c.channels * c.kPatch * c.kPatch;
    const auto stream = [&](const std::string& name, const AttentionSite& site) {
      const auto norm = [&](const char* of) { return weights.take(name + of, {site.head_size}, in.dtype, in.device); };
      return Stream{linear(name + "modulation", dim, 6 * dim),
                    linear(name + "qkv", dim, 3 * dim),
                    linear(name + "out", dim, dim),
                    linear(name + "up", dim, 2 * dim),
                    linear(name + "down", 2 * dim, dim),
                    norm("q_norm"),
                    norm("k_norm")};
    };
    patches = linear("patches", patch, dim);
    text = linear("text", c.text_dim, dim);
    pooled = linear("pooled", c.pooled_dim, dim);
    time_1 = linear("time_1", c.frequencies, dim);
    time_2 = linear("time_2", dim, dim);
    head_modulation = linear("head_modulation", dim, 2 * dim);
    head = linear("head", dim, patch);
    for (const bool single : {false, true})
      for (int64_t i = 0; i < c.layers[single]; ++i) {
        const std::string name = (single ? "single." : "double.") + std::to_string(i);
        Block& block = blocks.emplace_back(Block{{}, sites[single], i});
        for (const char* of : single ? std::vector{"."} : std::vector{".video.", ".text."})
          block.streams.push_back(stream(name + of, block.site));
      }
    weights.finish();
  }
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  const TransformerConfig config;
  const Placement placement;
  const AttentionSite sites[2];
  Linear patches, text, pooled, time_1, time_2, head_modulation, head;
  std::vector<Block> blocks;
};

/// A pass of all rows. Transformer and inputs are borrowed.
class TwoStreamPass final : public ModelPass {
 public:
  TwoStreamPass(const Transformer& model, const RunInputs& inputs, at::Tensor latents, int64_t step)
      : model_(model), in_(inputs), latents_(std::move(latents)), step_(step) {}

  const at::Tensor& latents() const override { return latents_; }
  int64_t blocks() const override { return std::ssize(model_.blocks); }
  Streams streams() const override { return {video_, text_}; }
  void replace(Streams streams) override { set(streams); }

  void embed(SignalObserver* observer) override {
    publish(observer, "latent.in", latents_);
    const at::TensorOptions as = at::TensorOptions().dtype(model_.placement.dtype).device(model_.placement.device);
    const at::Tensor raster =
        in_.layout.order.defined() ? in_.layout.order : at::arange(in_.layout.tokens(), at::kLong);
    const at::Tensor places = sinusoidal_embedding(raster.to(as.device()), model_.config.dim).to(as);
    video_ = model_.patches(to_patches(latents_.to(as), in_.layout)) + places;
    text_ = model_.text(in_.text);
    const at::Tensor wave = sinusoidal_embedding(in_.timesteps.narrow(0, step_, 1), model_.config.frequencies).to(as);
    time_ = model_.time_2(at::silu(model_.time_1(wave))) + model_.pooled(in_.pooled);
    publish(observer, "time.embed", time_);
  }

  at::Tensor modulated_input(int64_t block) const override {
    const Linear& modulation = model_.blocks.at(static_cast<size_t>(block)).streams.front().modulation;
    return modulated(video_, modulations(modulation, 6), 0);
  }

  void run_blocks(int64_t first, int64_t last, Attention& attention, SignalObserver* observer) override {
    for (int64_t i = first; i < last; ++i) {
      const BlockSignals signals(i);
      const at::Tensor before = video_;
      if (observer != nullptr && observer->wants(signals.modulated))
        observer->observe(signals.modulated, modulated_input(i));
      const Transformer::Block& block = model_.blocks[static_cast<size_t>(i)];
      const std::vector<int64_t> lengths = {video_.size(1), text_.size(1)};
      if (block.streams.size() == 2)
        set(run(block, {video_, text_}, attention));
      else
        set(run(block, {at::cat({video_, text_}, 1)}, attention).front().split_with_sizes(lengths, 1));
      publish(observer, signals.out, video_);
      publish_difference(observer, signals.residual, video_, before);
    }
  }

  at::Tensor head(SignalObserver* observer) override {
    at::Tensor out =
        from_patches(model_.head(modulated(video_, modulations(model_.head_modulation, 2), 0)), in_.layout);
    publish(observer, "model.out", out);
    return out;
  }

 private:
  void set(const Streams& streams) {
    video_ = streams[0];
    text_ = streams[1];
  }
  // Shift, scale and gate of attention, then of the feed-forward part, float32 [B, dim] each.
  std::vector<at::Tensor> modulations(const Linear& of, int64_t count) const {
    return of(at::silu(time_)).to(at::kFloat).chunk(count, -1);
  }
  static at::Tensor modulated(const at::Tensor& x, const std::vector<at::Tensor>& m, size_t first) {
    return layer_norm(x, {m[first + 1] + 1, m[first]}, kEps);
  }

  // One block over its streams, which attend together.
  Streams run(const Transformer::Block& block, Streams x, Attention& attention) const {
    std::vector<std::vector<at::Tensor>> m;
    std::vector<at::Tensor> q, k, v;
    std::vector<int64_t> lengths;
    for (size_t s = 0; s < x.size(); ++s) {
      const Transformer::Stream& stream = block.streams[s];
      m.push_back(modulations(stream.modulation, 6));
      const at::Tensor qkv = stream.qkv(modulated(x[s], m[s], 0)).unflatten(-1, {3, block.site.heads, -1});
      q.push_back(rms_norm(qkv.select(2, 0), stream.q_norm, kEps));
      k.push_back(rms_norm(qkv.select(2, 1), stream.k_norm, kEps));
      v.push_back(qkv.select(2, 2));
      lengths.push_back(x[s].size(1));
    }
    const at::Tensor together = attention.run({.site = block.site,
                                               .layer = block.layer,
                                               .q = at::cat(q, 1),
                                               .k = at::cat(k, 1),
                                               .v = at::cat(v, 1),
                                               .key_lengths = in_.key_lengths});
    const std::vector<at::Tensor> attended = together.flatten(2).split_with_sizes(lengths, 1);
    for (size_t s = 0; s < x.size(); ++s) {
      const Transformer::Stream& stream = block.streams[s];
      x[s] = add_gated(x[s], stream.out(attended[s].contiguous()), m[s][2]);
      x[s] = add_gated(x[s], stream.down(stream.up.with_gelu(modulated(x[s], m[s], 3))), m[s][5]);
    }
    return x;
  }

  const Transformer& model_;
  const RunInputs& in_;
  at::Tensor latents_;
  int64_t step_;
  at::Tensor video_, text_, time_;  // [B, tokens, dim] twice, [B, dim]
};

}  // namespace fastvideo::two_stream
