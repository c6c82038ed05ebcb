// How a video's latents become tokens: patches in raster order (t, h, w; w fastest) or in an order that an attention
// backend wishes for, and the rotary position of each.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "pipelines/common/layers/rms_norm.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"

namespace fastvideo::wan {

/// The tokens of one size of video: the same in every step.
struct TokenLayout {
  std::array<int64_t, 3> grid;   ///< tokens along t, h, w
  std::array<int64_t, 3> patch;  ///< latent values of a token along t, h, w
  at::Tensor order;              ///< int64 [L], position -> raster index; undefined: raster order
  at::Tensor position;           ///< int64 [L], raster index -> position; undefined with order
  RotaryTable rotary;            ///< of the tokens in their order

  int64_t tokens() const { return grid[0] * grid[1] * grid[2]; }
};

/// The layout of latents of so many frames, rows and columns. order: undefined, or int64 [L], a permutation.
/// Throws Refused if a patch does not divide the latents or the grid exceeds rope_max_seq_len, std::invalid_argument if
/// the order is no permutation of the tokens.
TokenLayout make_token_layout(const WanTransformerConfig& config, std::array<int64_t, 3> latent_size,
                              const at::Tensor& order, at::Device device);

/// The rotary table of a grid in raster order, float32 [L, D / 2] on the CPU. The channels of a head are split among t,
/// h and w, h and w taking 2 (D / 6) each; base 10000; angles in float64.
RotaryTable rotary_table(std::array<int64_t, 3> grid, int64_t head_dim);

/// [B, C, T, H, W] -> [B, L, C * patch volume], in the layout's order; channel slowest, then t, h, w of the patch.
at::Tensor to_patches(const at::Tensor& latents, const TokenLayout& layout);

/// [B, L, patch volume * C], t, h, w of the patch slowest, then the channel -> [B, C, T, H, W].
at::Tensor from_patches(const at::Tensor& patches, const TokenLayout& layout);

}  // namespace fastvideo::wan
