// How a video's latents become tokens: patches in raster order (t, h, w; w fastest) or in an order that an attention
// backend wishes for.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace fastvideo {

/// The tokens of one size of video: the same in every step.
struct PatchLayout {
  std::array<int64_t, 3> grid;   ///< tokens along t, h, w
  std::array<int64_t, 3> patch;  ///< latent values of a token along t, h, w
  at::Tensor order;              ///< int64 [L], position -> raster index; undefined: raster order
  at::Tensor position;           ///< int64 [L], raster index -> position; undefined with order

  int64_t tokens() const { return grid[0] * grid[1] * grid[2]; }
};

/// Puts tokens in an order from here on. order: undefined, or int64 [L], any device. Throws std::invalid_argument if
/// the order is no permutation of the tokens.
void set_token_order(PatchLayout& layout, const at::Tensor& order, at::Device device);

/// [B, C, T, H, W] -> [B, L, C * patch volume], in the layout's order; channel slowest, then t, h, w of the patch.
at::Tensor to_patches(const at::Tensor& latents, const PatchLayout& layout);

/// [B, L, patch volume * C], t, h, w of the patch slowest, then the channel -> [B, C, T, H, W].
at::Tensor from_patches(const at::Tensor& patches, const PatchLayout& layout);

}  // namespace fastvideo
