// A tiny transformer with two streams that attend together, image and text, as in Stable Diffusion 3 (Esser et al.
// 2024, section 4), with random weights: what caching has to cope with beyond Wan.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fastvideo::testing {

class Mmdit {
 public:
  static constexpr int64_t kBlocks = 4;
  static constexpr int64_t kChannels = 6;   ///< of latents
  static constexpr int64_t kTextSize = 10;  ///< of text tokens

  explicit Mmdit(uint64_t seed);

  /// A forward pass between embed and head; tensors are replaced, never written into.
  struct Pass {
    at::Tensor image;  ///< [B, image tokens, dim]
    at::Tensor text;   ///< [B, text tokens, dim]
    at::Tensor time;   ///< [B, dim]
  };
  /// latents [B, tokens, kChannels], text [B, tokens, kTextSize], sigma [B]; float32.
  Pass embed(const at::Tensor& latents, const at::Tensor& text, const at::Tensor& sigma) const;
  /// Runs blocks [first, last).
  void run(Pass& pass, int64_t first, int64_t last) const;
  /// The image stream's input of a block, normalised and modulated: signal block.N.modulated.
  at::Tensor modulated(const Pass& pass, int64_t block) const;
  /// Velocity, [B, tokens, kChannels]. Unlike the paper's it reads both streams: what stands in for the text shows.
  at::Tensor head(const Pass& pass) const;

 private:
  struct Stream {
    at::Tensor modulation, qkv, out, up, down;
  };
  struct Block {
    Stream image, text;
  };
  at::Tensor image_in_, text_in_, time_1_, time_2_, head_;
  std::vector<Block> blocks_;
};

}  // namespace fastvideo::testing
