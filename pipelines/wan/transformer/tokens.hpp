// A video's tokens, and the rotary position of each token.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "pipelines/common/diffusion/patches.hpp"
#include "pipelines/common/layers/rms_norm.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"

namespace fastvideo::wan {

/// The tokens of one size of video, with their positions: the same in every step.
struct TokenLayout : PatchLayout {
  RotaryTable rotary;  ///< of the tokens, in the layout's order
};

/// The layout of latents with these numbers of frames, rows and columns. order: undefined, or int64 [L], a permutation.
/// Throws Refused if a patch does not divide the latents or the grid exceeds rope_max_seq_len, std::invalid_argument if
/// the order is no permutation of the tokens.
TokenLayout make_token_layout(const WanTransformerConfig& config, std::array<int64_t, 3> latent_size,
                              const at::Tensor& order, at::Device device);

/// The rotary table of a grid in raster order, float32 [L, D / 2] on the CPU. The channels of a head are split among t,
/// h and w, h and w taking 2 (D / 6) each; base 10000; angles in float64.
RotaryTable rotary_table(std::array<int64_t, 3> grid, int64_t head_dim);

}  // namespace fastvideo::wan
