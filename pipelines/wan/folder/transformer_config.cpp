#include "pipelines/wan/folder/transformer_config.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo::wan {

WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& config_json) {
  const JsonFile json(config_json);
  json.require_one_of("_class_name", "WanTransformer3DModel", {"WanTransformer3DModel"},
                      "only WanTransformer3DModel is read here");
  json.require_not_quantised();
  for (const char* key : {"image_dim", "added_kv_proj_dim", "pos_embed_seq_len"})
    json.require_unset(key, "that is an image-to-video model, and this pipeline makes videos from text alone");
  json.require_one_of("qk_norm", "rms_norm_across_heads", {"rms_norm_across_heads"},
                      "only rms_norm_across_heads is computed");

  WanTransformerConfig config;
  const std::vector<int64_t> patch = json.integers("patch_size", {1, 2, 2}, 1, 64);
  if (patch.size() != config.patch_size.size())
    json.refuse("patch_size", "it must be three sizes: time, height, width");
  std::copy(patch.begin(), patch.end(), config.patch_size.begin());
  config.num_attention_heads = json.integer("num_attention_heads", config.num_attention_heads, 1, 4096);
  config.attention_head_dim = json.integer("attention_head_dim", config.attention_head_dim, 1, 4096);
  if (config.attention_head_dim % 2 != 0)
    json.refuse("attention_head_dim", "rotary embedding turns pairs: it must be even");
  config.in_channels = json.integer("in_channels", config.in_channels, 1, 4096);
  config.out_channels = json.is_null_or_absent("out_channels") && json.has("out_channels")
                            ? config.in_channels
                            : json.integer("out_channels", config.out_channels, 1, 4096);
  if (config.in_channels != config.out_channels)
    json.refuse("in_channels", "there are " + std::to_string(config.out_channels) +
                                   " out_channels, so this model takes an image or a video beside the noise; this "
                                   "pipeline makes videos from text alone");
  config.text_dim = json.integer("text_dim", config.text_dim);
  config.freq_dim = json.integer("freq_dim", config.freq_dim, 2);
  if (config.freq_dim % 2 != 0) json.refuse("freq_dim", "it holds cosines and sines: it must be even");
  config.ffn_dim = json.integer("ffn_dim", config.ffn_dim);
  config.num_layers = json.integer("num_layers", config.num_layers, 1, 1024);
  config.cross_attn_norm = json.boolean("cross_attn_norm", config.cross_attn_norm);
  config.eps = json.positive("eps", config.eps);
  config.rope_max_seq_len = json.integer("rope_max_seq_len", config.rope_max_seq_len, 1, 1 << 20);
  return config;
}

}  // namespace fastvideo::wan
