#include "pipelines/wan/folder/vae_config.hpp"

#include <algorithm>
#include <string>

#include "pipelines/common/diffusers_folder/json_file.hpp"

namespace fastvideo::wan {
namespace {

// Statistics of the 16 latent channels of Wan 2.1, the defaults of diffusers.
const std::vector<double> kWan21Mean = {-.7571, -.7089, -.9113, .1075,  -.1745, .9653,  -.1517, 1.5508,
                                        .4134,  -.0715, .5517,  -.3632, -.1922, -.9497, .2503,  -.2921};
const std::vector<double> kWan21Std = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                                       3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

std::vector<double> statistics(const JsonFile& json, std::string_view key, const std::vector<double>& absent,
                               int64_t z_dim) {
  std::vector<double> values = json.numbers(key, absent);
  if (static_cast<int64_t>(values.size()) == z_dim) return values;
  const std::string why = "there must be one for each of z_dim = " + std::to_string(z_dim) + " channels";
  if (json.has(key)) json.refuse(key, why);
  json.refuse(std::string(key) + " is absent, and the default has " + std::to_string(values.size()) + ": " + why);
}

/// The strides of the file must be those of the layers: diffusers takes the file's for the latents' size, the layers'
/// for the frames'.
void check_stride(const JsonFile& json, std::string_view key, int64_t absent, int64_t layers) {
  const int64_t stride = json.integer(key, absent);
  if (stride == layers) return;
  json.refuse(std::string(key) + " is " + std::to_string(stride) + (json.has(key) ? "" : " by default") +
              ", and the layers of dim_mult and temperal_downsample make " + std::to_string(layers));
}

}  // namespace

int64_t AutoencoderKLWanConfig::temporal_stride() const {
  return int64_t{1} << std::count(temperal_downsample.begin(), temperal_downsample.end(), true);
}

int64_t AutoencoderKLWanConfig::spatial_stride() const { return int64_t{1} << (dim_mult.size() - 1); }

std::vector<int64_t> AutoencoderKLWanConfig::decoder_channels() const {
  std::vector<int64_t> channels = {decoder_base_dim * dim_mult.back()};
  for (size_t i = dim_mult.size(); i-- > 0;) channels.push_back(decoder_base_dim * dim_mult[i]);
  return channels;
}

AutoencoderKLWanConfig read_autoencoder_kl_wan_config(const std::filesystem::path& config_json) {
  const JsonFile json(config_json);
  json.require_one_of("_class_name", "AutoencoderKLWan", {"AutoencoderKLWan"}, "only AutoencoderKLWan is decoded here");
  json.require_not_quantised();
  json.require_unset("is_residual", "that is the VAE of Wan 2.2 (TI2V-5B); the one of Wan 2.1 is decoded here");
  if (!json.is_null_or_absent("patch_size"))
    json.refuse("patch_size", "that is the VAE of Wan 2.2 (TI2V-5B); the one of Wan 2.1 is decoded here");

  AutoencoderKLWanConfig config;
  config.base_dim = json.integer("base_dim", config.base_dim, 1, 4096);
  config.decoder_base_dim = json.is_null_or_absent("decoder_base_dim")
                                ? config.base_dim
                                : json.integer("decoder_base_dim", config.base_dim, 1, 4096);
  config.z_dim = json.integer("z_dim", config.z_dim, 1, 4096);
  config.dim_mult = json.integers("dim_mult", config.dim_mult, 1, 64);
  constexpr size_t kMostLevels = 8;
  if (config.dim_mult.empty() || config.dim_mult.size() > kMostLevels)
    json.refuse("dim_mult", "there must be one to eight levels");
  config.num_res_blocks = json.integer("num_res_blocks", config.num_res_blocks, 0, 64);
  config.attn_scales = json.numbers("attn_scales", {});
  config.temperal_downsample = json.booleans("temperal_downsample", config.temperal_downsample);
  if (config.temperal_downsample.size() + 1 != config.dim_mult.size())
    json.refuse("temperal_downsample must have one value fewer than dim_mult, " +
                std::to_string(config.dim_mult.size() - 1) + ", and has " +
                std::to_string(config.temperal_downsample.size()));
  config.latents_mean = statistics(json, "latents_mean", kWan21Mean, config.z_dim);
  config.latents_std = statistics(json, "latents_std", kWan21Std, config.z_dim);
  if (*std::min_element(config.latents_std.begin(), config.latents_std.end()) <= 0)
    json.refuse("latents_std", "each must be above 0");
  config.in_channels = json.integer("in_channels", config.in_channels, 1, 4096);
  config.out_channels = json.integer("out_channels", config.out_channels, 1, 4096);
  check_stride(json, "scale_factor_temporal", 4, config.temporal_stride());
  check_stride(json, "scale_factor_spatial", 8, config.spatial_stride());
  return config;
}

}  // namespace fastvideo::wan
