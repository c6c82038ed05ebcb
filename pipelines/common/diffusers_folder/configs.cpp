#include "pipelines/common/diffusers_folder/configs.hpp"

#include <algorithm>
#include <utility>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo {
namespace {

constexpr const char* no_quantisation = "quantised weights are not read; use the folder in bfloat16 or float32";

/// What says which class the file configures must say this one, if it is there.
void require_class(const JsonFile& json, std::string_view name) {
  json.require_one_of("_class_name", name, {name}, "only " + std::string(name) + " is read here");
  json.require_unset("quantization_config", no_quantisation);
}

double positive(const JsonFile& json, std::string_view key, double absent) {
  const double value = json.number(key, absent);
  if (!(value > 0)) json.refuse(key, "it must be above 0");
  return value;
}

}  // namespace

UMT5Config read_umt5_config(const std::filesystem::path& config_json) {
  const JsonFile json(config_json);
  json.require_unset("quantization_config", no_quantisation);
  json.require_one_of("model_type", "umt5", {"umt5"}, "the text encoder must be UMT5");
  json.require_unset(
      "transformers_weights",
      "weights under a name of their own are not read; rename that file to model.safetensors, take the key away");
  constexpr const char* activation = "only gated-gelu with tanh GELU is computed";
  json.require_one_of("feed_forward_proj", "gated-gelu", {"gated-gelu"}, activation);
  json.require_one_of("dense_act_fn", "gelu_new", {"gelu_new"}, activation);
  if (!json.boolean("is_gated_act", true)) json.refuse("is_gated_act", activation);

  UMT5Config config;
  config.vocab_size = json.integer("vocab_size", config.vocab_size);
  config.d_model = json.integer("d_model", config.d_model);
  config.d_kv = json.integer("d_kv", config.d_kv);
  config.d_ff = json.integer("d_ff", config.d_ff);
  config.num_layers = json.integer("num_layers", config.num_layers, 1, 1024);
  config.num_heads = json.integer("num_heads", config.num_heads, 1, 4096);
  // Half of the buckets are for each direction, and half of those for exact distances: at least one of each.
  config.relative_attention_num_buckets =
      json.integer("relative_attention_num_buckets", config.relative_attention_num_buckets, 4);
  config.relative_attention_max_distance =
      json.integer("relative_attention_max_distance", config.relative_attention_max_distance);
  if (config.relative_attention_max_distance <= config.relative_attention_num_buckets / 4)
    json.refuse("relative_attention_max_distance must be above a quarter of relative_attention_num_buckets, " +
                std::to_string(config.relative_attention_num_buckets));
  config.layer_norm_epsilon = positive(json, "layer_norm_epsilon", config.layer_norm_epsilon);
  return config;
}

WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& config_json) {
  const JsonFile json(config_json);
  require_class(json, "WanTransformer3DModel");
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
  config.eps = positive(json, "eps", config.eps);
  config.rope_max_seq_len = json.integer("rope_max_seq_len", config.rope_max_seq_len, 1, 1 << 20);
  return config;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& scheduler_config_json) {
  const JsonFile json(scheduler_config_json);
  json.require_one_of("_class_name", "", {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"},
                      "the schedulers here are UniPCMultistepScheduler and FlowMatchEulerDiscreteScheduler");
  for (const char* key : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"})
    json.require_unset(key, "only flow sigmas are computed");
  json.require_unset("use_dynamic_shifting", "a Wan pipeline gives no mu to shift by, in diffusers neither");

  SchedulerConfig config;
  const bool unipc = json.string("_class_name", "") == "UniPCMultistepScheduler";
  config.kind = unipc ? SchedulerConfig::Kind::unipc : SchedulerConfig::Kind::flow_match_euler;
  config.num_train_timesteps = json.integer("num_train_timesteps", config.num_train_timesteps, 1, 1'000'000);
  config.shift = positive(json, unipc ? "flow_shift" : "shift", config.shift);
  if (!json.is_null_or_absent("shift_terminal")) {
    const double terminal = json.number("shift_terminal", 0);
    if (!(terminal >= 0 && terminal < 1)) json.refuse("shift_terminal", "it must be from 0 to below 1");
    if (terminal != 0) config.shift_terminal = terminal;  // diffusers takes 0 for none
  }
  if (!unipc) {
    json.require_unset("invert_sigmas", "inverted sigmas are not computed");
    json.require_unset("stochastic_sampling", "stochastic sampling is not computed");
    return config;
  }

  json.require_one_of("prediction_type", "epsilon", {"flow_prediction"}, "Wan models predict flow: flow_prediction");
  if (!json.boolean("use_flow_sigmas", false)) json.refuse("use_flow_sigmas is false: only flow sigmas are computed");
  json.require_unset("thresholding", "thresholding is not computed");
  json.require_unset("solver_p", "another solver as predictor is not computed");
  if (!json.boolean("predict_x0", true)) json.refuse("predict_x0", "only the solver on x0 is computed");
  json.require_one_of("solver_type", "bh2", {"bh1", "bh2", "midpoint", "heun", "logrho"},
                      "the solvers are bh1 and bh2");
  json.require_one_of("final_sigmas_type", "zero", {"zero", "sigma_min"}, "it must be zero or sigma_min");
  config.solver_order = json.integer("solver_order", config.solver_order, 1, 3);
  // diffusers takes the names of other schedulers' solvers for bh2.
  if (json.string("solver_type", "bh2") == "bh1") config.solver_type = SchedulerConfig::SolverType::bh1;
  config.lower_order_final = json.boolean("lower_order_final", config.lower_order_final);
  config.disable_corrector = json.integers("disable_corrector", {}, 0);
  if (json.string("final_sigmas_type", "zero") == "sigma_min")
    config.final_sigmas_type = SchedulerConfig::FinalSigma::sigma_min;
  return config;
}

}  // namespace fastvideo
