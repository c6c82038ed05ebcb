// What the JSON configurations of a model folder in diffusers format say, as plain values. A key that is absent has the
// default of diffusers 0.42 and transformers 5. Each reader refuses, by name and value, what this repository does not
// compute, so that a value in one of these structs is one that the models honour.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fastvideo {

/// text_encoder/config.json of UMT5EncoderModel. The feed-forward is gated-gelu (tanh GELU): any other is refused.
struct UMT5Config {
  int64_t vocab_size = 250112;
  int64_t d_model = 512;
  int64_t d_kv = 64;  ///< size of one head; heads * d_kv need not be d_model
  int64_t d_ff = 1024;
  int64_t num_layers = 8;
  int64_t num_heads = 6;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;

  int64_t attention_dim() const { return num_heads * d_kv; }
};

/// transformer/config.json of WanTransformer3DModel. qk_norm is rms_norm_across_heads and there are no image inputs:
/// all else is refused.
struct WanTransformerConfig {
  std::array<int64_t, 3> patch_size = {1, 2, 2};  ///< t, h, w
  int64_t num_attention_heads = 40;
  int64_t attention_head_dim = 128;
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t text_dim = 4096;
  int64_t freq_dim = 256;
  int64_t ffn_dim = 13824;
  int64_t num_layers = 40;
  bool cross_attn_norm = true;
  double eps = 1e-6;
  int64_t rope_max_seq_len = 1024;

  int64_t inner_dim() const { return num_attention_heads * attention_head_dim; }
  int64_t patch_volume() const { return patch_size[0] * patch_size[1] * patch_size[2]; }
};

/// vae/config.json of AutoencoderKLWan, the kind of Wan 2.1: is_residual and patch_size, which make it the VAE of
/// Wan 2.2, are refused.
struct AutoencoderKLWanConfig {
  int64_t base_dim = 96;
  int64_t decoder_base_dim = 96;  ///< base_dim where the file gives none
  int64_t z_dim = 16;
  std::vector<int64_t> dim_mult = {1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<double> attn_scales;                              ///< the encoder's only: a decoder has none
  std::vector<bool> temperal_downsample = {false, true, true};  ///< diffusers' spelling; encoder order
  std::vector<double> latents_mean;                             ///< z_dim values
  std::vector<double> latents_std;                              ///< z_dim values, positive
  int64_t in_channels = 3;
  int64_t out_channels = 3;

  /// Frames of one latent frame, and pixels of one latent pixel on each side: those of the layers, which the reader
  /// compares with scale_factor_temporal and scale_factor_spatial.
  int64_t temporal_stride() const;
  int64_t spatial_stride() const;
  /// Channels along the decoder: after conv_in, then of each up block before its upsampler.
  /// decoder_base_dim * {m[n-1], m[n-1], ..., m[0]}.
  std::vector<int64_t> decoder_channels() const;
};

/// scheduler/scheduler_config.json.
struct SchedulerConfig {
  enum class Kind { unipc, flow_match_euler };
  enum class FinalSigma { zero, sigma_min };
  enum class SolverType { bh1, bh2 };

  Kind kind = Kind::unipc;
  int64_t num_train_timesteps = 1000;
  double shift = 1.0;                    ///< flow_shift of UniPC, shift of flow-match Euler
  std::optional<double> shift_terminal;  ///< the schedule is stretched to end at this sigma; never 0

  // UniPC only: flow prediction over flow sigmas, predict_x0, no thresholding.
  int64_t solver_order = 2;  ///< 1 to 3
  SolverType solver_type = SolverType::bh2;
  bool lower_order_final = true;
  std::vector<int64_t> disable_corrector;  ///< diffusers skips the corrector at step i if i - 1 is in the list
  FinalSigma final_sigmas_type = FinalSigma::zero;
};

/// Read one file. Throw Refused naming the file, the key and its value.
UMT5Config read_umt5_config(const std::filesystem::path& config_json);
WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& config_json);
AutoencoderKLWanConfig read_autoencoder_kl_wan_config(const std::filesystem::path& config_json);
SchedulerConfig read_scheduler_config(const std::filesystem::path& scheduler_config_json);

}  // namespace fastvideo
