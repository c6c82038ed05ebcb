#include "pipelines/common/text/umt5/umt5_config.hpp"

#include <string>
#include <string_view>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo {
namespace {

/// A size that transformers knows by two names. transformers takes the second if both are given, even if they differ.
int64_t size_of(const JsonFile& json, std::string_view key, std::string_view other, int64_t absent,
                int64_t maximum = 1 << 24) {
  const int64_t size = json.integer(key, absent, 1, maximum);
  const int64_t same = json.integer(other, size, 1, maximum);
  if (json.has(key) && same != size)
    json.refuse(other,
                std::string(key) + " is " + std::to_string(size) + ", and both say the same thing: leave one out");
  return same;
}

}  // namespace

UMT5Config read_umt5_config(const std::filesystem::path& config_json) {
  const JsonFile json(config_json);
  json.require_not_quantised();
  json.require_one_of("model_type", "umt5", {"umt5"}, "the text encoder must be UMT5");
  json.require_unset(
      "transformers_weights",
      "weights under a name of their own are not read; rename that file to model.safetensors, take the key away");
  constexpr const char* kActivation = "only gated-gelu with tanh GELU is computed";
  json.require_one_of("feed_forward_proj", "gated-gelu", {"gated-gelu"}, kActivation);
  json.require_one_of("dense_act_fn", "gelu_new", {"gelu_new"}, kActivation);
  if (!json.boolean("is_gated_act", true)) json.refuse("is_gated_act", kActivation);

  UMT5Config config;
  config.vocab_size = json.integer("vocab_size", config.vocab_size);
  config.d_model = size_of(json, "d_model", "hidden_size", config.d_model);
  config.d_kv = size_of(json, "d_kv", "head_dim", config.d_kv);
  config.d_ff = json.integer("d_ff", config.d_ff);
  config.num_layers = size_of(json, "num_layers", "num_hidden_layers", config.num_layers, 1024);
  config.num_heads = size_of(json, "num_heads", "num_attention_heads", config.num_heads, 4096);
  // Each direction has half of the buckets, and half of these are for exact distances: at least one of each.
  config.relative_attention_num_buckets =
      json.integer("relative_attention_num_buckets", config.relative_attention_num_buckets, 4);
  config.relative_attention_max_distance =
      json.integer("relative_attention_max_distance", config.relative_attention_max_distance);
  if (config.relative_attention_max_distance <= config.relative_attention_num_buckets / 4)
    json.refuse("relative_attention_max_distance must be above a quarter of relative_attention_num_buckets, " +
                std::to_string(config.relative_attention_num_buckets));
  config.layer_norm_epsilon = json.positive("layer_norm_epsilon", config.layer_norm_epsilon);
  return config;
}

}  // namespace fastvideo
