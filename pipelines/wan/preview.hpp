// The colours of Wan's latents, for previews without the decoder.
#pragma once

#include "pipelines/common/diffusion/preview.hpp"
#include "pipelines/wan/vae/decoder.hpp"

namespace fastvideo::wan {

/// Decodes small pictures of one latent each, 32 of them for 16 channels. The decoder must have been given
/// SmallAttention: the attention of a run is planned for its own sizes. progress: called for each picture, and may
/// throw to stop.
LatentColours colours_of(AutoencoderKLWanDecoder& decoder, int64_t z_dim, const DecodeProgress& progress);

/// Attention of a few tokens by LibTorch, without a backend: for colours_of.
class SmallAttention final : public Attention {
 public:
  at::Tensor run(const AttentionCall& call) override;
};

}  // namespace fastvideo::wan
