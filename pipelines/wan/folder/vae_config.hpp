// The configuration of AutoencoderKLWan. An absent key has the default of diffusers 0.42 and transformers 5. The reader
// refuses, by name and value, settings that this repository does not compute, so that every value in the struct is
// honoured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace fastvideo::wan {

/// vae/config.json of AutoencoderKLWan, the kind of Wan 2.1: is_residual and patch_size, which make it the VAE of
/// Wan 2.2, are refused.
struct AutoencoderKLWanConfig {
  int64_t base_dim = 96;
  int64_t decoder_base_dim = 96;  ///< base_dim if the file has no decoder_base_dim
  int64_t z_dim = 16;
  std::vector<int64_t> dim_mult = {1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<double> attn_scales;                              ///< of the encoder only: the decoder has none
  std::vector<bool> temperal_downsample = {false, true, true};  ///< diffusers' spelling; encoder order
  std::vector<double> latents_mean;                             ///< z_dim values
  std::vector<double> latents_std;                              ///< z_dim values, positive
  int64_t in_channels = 3;
  int64_t out_channels = 3;

  /// Frames of one latent frame, and pixels of one latent pixel on each side: the layers' strides, which the reader
  /// compares with scale_factor_temporal and scale_factor_spatial.
  int64_t temporal_stride() const;
  int64_t spatial_stride() const;
  /// Channels along the decoder: after conv_in, then of each up block before its upsampler.
  /// decoder_base_dim * {m[n-1], m[n-1], ..., m[0]}.
  std::vector<int64_t> decoder_channels() const;
};

/// Throws Refused naming the file, the key and its value.
AutoencoderKLWanConfig read_autoencoder_kl_wan_config(const std::filesystem::path& config_json);

}  // namespace fastvideo::wan
