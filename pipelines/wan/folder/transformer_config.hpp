// The configuration of WanTransformer3DModel. An absent key has the default of diffusers 0.42 and transformers 5. The
// reader refuses, by name and value, settings that this repository does not compute, so that every value in the struct
// is honoured.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

namespace fastvideo::wan {

/// transformer/config.json of WanTransformer3DModel. qk_norm is rms_norm_across_heads and there are no image inputs:
/// other values are refused.
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

/// Throws Refused naming the file, the key and its value.
WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& config_json);

}  // namespace fastvideo::wan
