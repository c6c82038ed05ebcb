// The driver of the parity test: prints a model folder, or one configuration, as JSON. Run as: config_driver folder
// PATH | config_driver KIND FILE
#include <fastvideo/core.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "pipelines/wan/folder/wan_folder.hpp"

namespace {

using namespace fastvideo;
using namespace fastvideo::wan;
using nlohmann::json;

json to_json(const UMT5Config& c) {
  return {{"vocab_size", c.vocab_size},
          {"d_model", c.d_model},
          {"d_kv", c.d_kv},
          {"d_ff", c.d_ff},
          {"num_layers", c.num_layers},
          {"num_heads", c.num_heads},
          {"relative_attention_num_buckets", c.relative_attention_num_buckets},
          {"relative_attention_max_distance", c.relative_attention_max_distance},
          {"layer_norm_epsilon", c.layer_norm_epsilon}};
}

json to_json(const WanTransformerConfig& c) {
  return {{"patch_size", c.patch_size},
          {"num_attention_heads", c.num_attention_heads},
          {"attention_head_dim", c.attention_head_dim},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"text_dim", c.text_dim},
          {"freq_dim", c.freq_dim},
          {"ffn_dim", c.ffn_dim},
          {"num_layers", c.num_layers},
          {"cross_attn_norm", c.cross_attn_norm},
          {"eps", c.eps},
          {"rope_max_seq_len", c.rope_max_seq_len}};
}

json to_json(const AutoencoderKLWanConfig& c) {
  return {{"base_dim", c.base_dim},
          {"decoder_base_dim", c.decoder_base_dim},
          {"z_dim", c.z_dim},
          {"dim_mult", c.dim_mult},
          {"num_res_blocks", c.num_res_blocks},
          {"attn_scales", c.attn_scales},
          {"temperal_downsample", c.temperal_downsample},
          {"latents_mean", c.latents_mean},
          {"latents_std", c.latents_std},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"scale_factor_temporal", c.temporal_stride()},
          {"scale_factor_spatial", c.spatial_stride()}};
}

json to_json(const SchedulerConfig& c) {
  json result = {{"num_train_timesteps", c.num_train_timesteps},
                 {"shift_terminal", c.shift_terminal ? json(*c.shift_terminal) : json()}};
  if (c.kind == SchedulerConfig::Kind::flow_match_euler) {
    result["shift"] = c.shift;
    return result;
  }
  result["flow_shift"] = c.shift;
  result["solver_order"] = c.solver_order;
  result["solver_type"] = c.solver_type == SchedulerConfig::SolverType::bh1 ? "bh1" : "bh2";
  result["lower_order_final"] = c.lower_order_final;
  result["disable_corrector"] = c.disable_corrector;
  result["final_sigmas_type"] = c.final_sigmas_type == SchedulerConfig::FinalSigma::zero ? "zero" : "sigma_min";
  return result;
}

json to_json(const ComponentWeights& w) {
  return {{"files", w.files.size()}, {"elements", w.elements}, {"bytes", w.bytes}, {"dtype", w.dtype}};
}

json read(const std::string& kind, const std::string& path) {
  if (kind == "text_encoder") return to_json(read_umt5_config(path));
  if (kind == "transformer") return to_json(read_wan_transformer_config(path));
  if (kind == "vae") return to_json(read_autoencoder_kl_wan_config(path));
  if (kind == "scheduler") return to_json(read_scheduler_config(path));
  if (kind != "folder") throw Refused("folder, text_encoder, transformer, vae or scheduler");
  WanFolder model = open_wan_folder(path);
  find_weights(model, "");
  return {{"text_encoder", to_json(model.text_encoder)},
          {"transformer", to_json(model.transformer)},
          {"vae", to_json(model.vae)},
          {"scheduler", to_json(model.scheduler)},
          {"weights",
           {{"text_encoder", to_json(model.text_encoder_weights)},
            {"transformer", to_json(model.transformer_weights)},
            {"vae", to_json(model.vae_weights)}}}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw Refused("two arguments: what, and where");
    std::cout << read(argv[1], argv[2]) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
