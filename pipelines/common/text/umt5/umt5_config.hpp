// The configuration of a UMT5 encoder. An absent key has the default of diffusers 0.42 and transformers 5. The reader
// refuses, by name and value, settings that this repository does not compute, so that every value in the struct is
// honoured.
#pragma once

#include <cstdint>
#include <filesystem>

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

/// Throws Refused naming the file, the key and its value.
UMT5Config read_umt5_config(const std::filesystem::path& config_json);

}  // namespace fastvideo
