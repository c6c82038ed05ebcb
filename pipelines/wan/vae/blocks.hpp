// The building blocks of AutoencoderKLWan's decoder ("Wan: Open and Advanced Large-Scale Video Generative Models",
// arXiv 2503.20314, section 4.1; layer for layer diffusers 0.42's autoencoder_kl_wan.py). Frames are [T, H, W, C],
// contiguous, of one latent frame at a time; a block consumes its input. clear() forgets the frames seen.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/video_vae/convolution.hpp"
#include "pipelines/common/video_vae/frame_history.hpp"
#include "pipelines/wan/vae/parameters.hpp"

namespace fastvideo::wan {

/// Norm and SiLU, then a 3x3x3 causal convolution; the norm writes straight into the convolution's buffer.
class NormedConvolution {
 public:
  NormedConvolution(const VaeParameters& from, const std::string& norm, const std::string& convolution, int64_t in,
                    int64_t out);
  at::Tensor run(at::Tensor frames);
  void add_to(at::Tensor& sum, at::Tensor frames);
  void clear() { history_.clear(); }

 private:
  at::Tensor normalise(const at::Tensor& frames);

  at::Tensor gamma_;
  Convolution convolution_;
  FrameHistory history_{2};
};

/// x + conv(silu(norm(conv(silu(norm(x)))))), the first summand through a 1x1x1 convolution where channels change.
class ResidualBlock {
 public:
  ResidualBlock(const VaeParameters& from, const std::string& name, int64_t in, int64_t out);
  at::Tensor run(at::Tensor frames);
  void clear();

 private:
  NormedConvolution first_;
  NormedConvolution second_;
  std::optional<Convolution> shortcut_;
};

/// Self-attention of one head over the pixels of each frame.
class PixelAttention {
 public:
  PixelAttention(const VaeParameters& from, const std::string& name, int64_t channels);

  /// The attention site "vae.mid", one layer of a VAE.
  static AttentionSite site(int64_t channels);

  at::Tensor run(at::Tensor frames, Attention& attention) const;

 private:
  AttentionSite site_;
  at::Tensor gamma_, qkv_weight_, qkv_bias_, out_weight_, out_bias_;
};

/// Twice the height and width, half the channels: nearest neighbour, then a 3x3 convolution. If it upsamples in time,
/// also twice the frames, except for the first latent frame of a clip, which stays one frame.
class Upsampler {
 public:
  Upsampler(const VaeParameters& from, const std::string& name, int64_t channels, bool in_time);
  /// first: these are the frames of the clip's first latent frame.
  at::Tensor run(at::Tensor frames, bool first);
  void clear() { history_.clear(); }

 private:
  std::vector<Convolution> in_time_;  ///< for the even and the odd frames; empty: not in time
  FrameHistory history_{2};
  Convolution quadrants_;
};

}  // namespace fastvideo::wan
