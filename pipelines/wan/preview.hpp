// What Wan's latents look like without its decoder.
#pragma once

#include "pipelines/common/diffusion/preview.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

/// Decodes small pictures of one latent each, 32 of them for 16 channels. The decoder calls no attention but the one
/// given here, for as long as this lasts: that of a run is planned for its own sizes.
LatentColours colours_of(AutoencoderKLWanDecoder& decoder, int64_t z_dim);

/// Attention of a few tokens by LibTorch, beside all backends: for colours_of.
class SmallAttention final : public Attention {
 public:
  at::Tensor run(const AttentionCall& call) override;
};

}  // namespace fastvideo::wan
