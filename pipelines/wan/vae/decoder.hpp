// Latents to frames: the decoder of AutoencoderKLWan, streaming.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "pipelines/common/attention/attention.hpp"
#include "pipelines/common/weights/weights.hpp"
#include "pipelines/wan/folder/vae_config.hpp"
#include "pipelines/wan/vae/blocks.hpp"

namespace fastvideo::wan {

/// Takes the frames of one latent frame as soon as they are decoded.
using FrameSink = std::function<void(const at::Tensor& frames)>;

/// Called before the first latent frame (done = 0) and after each. Throws (Cancelled) to stop.
using DecodeProgress = std::function<void(int64_t done, int64_t total)>;

/// Decodes one latent frame after the other; causal convolutions keep the two past frames that they need, so memory
/// does not grow with the length of the clip, and the result equals that of decoding all latent frames at once. One
/// thread at a time.
class AutoencoderKLWanDecoder {
 public:
  /// Takes the decoder's weights and skips the encoder's. dtype: float32 or bfloat16; weights may be released
  /// afterwards, attention must outlive the decoder. Throws Refused for another dtype, for a VAE that does not give
  /// RGB, and for weights that do not fit the config.
  AutoencoderKLWanDecoder(const AutoencoderKLWanConfig& config, Weights& weights, at::ScalarType dtype,
                          at::Device device, Attention& attention);

  /// The decoder's attention site.
  static AttentionSite site(const AutoencoderKLWanConfig& config);

  /// Sees the frames of one latent frame before they are cut to -1..1, while NaN and infinity can still be seen.
  using RawFrames = std::function<void(const at::Tensor& frames)>;

  /// latents: [1, z_dim, T, h, w], any floating point dtype and device, normalised as the transformer gives them. The
  /// sink gets uint8 RGB [F, H, W, 3] on the CPU, rounded as diffusers' VideoProcessor does: one frame of the first
  /// latent frame, temporal_stride of each other. The tensors are the sink's to keep. Throws std::invalid_argument for
  /// latents of another shape, and the exceptions of sink, progress and attention; then the decoder has forgotten the
  /// clip.
  void decode(const at::Tensor& latents, const FrameSink& sink, const DecodeProgress& progress = {},
              const RawFrames& raw = {});

  /// As decode, before rounding: frames in the dtype and on the device of the decoder, -1 to 1.
  void decode_samples(const at::Tensor& latents, const FrameSink& sink, const DecodeProgress& progress = {},
                      const RawFrames& raw = {});

 private:
  struct UpBlock {
    std::vector<ResidualBlock> resnets;
    std::vector<Upsampler> upsampler;  ///< none or one
  };
  AutoencoderKLWanDecoder(const AutoencoderKLWanConfig& config, const VaeParameters& from, Attention& attention);

  at::Tensor denormalise(const at::Tensor& latent) const;
  at::Tensor decode_frame(const at::Tensor& latent, bool first, const RawFrames& raw);
  void clear();

  Attention& attention_;
  int64_t z_dim_;
  at::TensorOptions options_;
  at::Tensor mean_, reciprocal_std_;
  at::Tensor post_quant_weight_, post_quant_bias_;
  Convolution conv_in_;
  FrameHistory history_{2};  ///< of conv_in
  ResidualBlock mid_first_;
  PixelAttention mid_attention_;
  ResidualBlock mid_second_;
  std::vector<UpBlock> up_blocks_;
  NormedConvolution conv_out_;
};

}  // namespace fastvideo::wan
