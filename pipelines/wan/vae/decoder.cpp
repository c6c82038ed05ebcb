#include "pipelines/wan/vae/decoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <fastvideo/core.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "pipelines/common/residency/give_back.hpp"
#include "pipelines/common/video_vae/rgb8.hpp"

namespace fastvideo::wan {
namespace {

VaeParameters checked(const AutoencoderKLWanConfig& config, Weights& weights, at::ScalarType dtype, at::Device device) {
  if (dtype != at::kFloat && dtype != at::kBFloat16)
    throw Refused(std::string("the VAE decodes in float32 or bfloat16, not in ") + at::toString(dtype));
  if (config.out_channels != 3)
    throw Refused("the VAE's out_channels is " + std::to_string(config.out_channels) +
                  ": only VAEs of RGB frames (3) can be decoded");
  std::vector<std::pair<std::string, int64_t>> sizes{{"z_dim", config.z_dim}};
  for (size_t i = 0; i < config.dim_mult.size(); ++i)
    sizes.emplace_back("decoder_base_dim * dim_mult[" + std::to_string(i) + "]",
                       config.decoder_base_dim * config.dim_mult[i]);
  weights.name_sizes(std::move(sizes));
  const std::string blocks = "decoder.up_blocks.";
  const auto levels = static_cast<int64_t>(config.dim_mult.size());
  weights.require_layers(blocks, levels, "dim_mult has " + std::to_string(levels) + " levels");
  weights.require_layers(blocks + "0.resnets.", config.num_res_blocks + 1,
                         "num_res_blocks is " + std::to_string(config.num_res_blocks) + " (one less than the layers)");
  weights.skip("encoder.");
  weights.skip("quant_conv.");
  return {&weights, dtype, device};
}

at::Tensor per_channel(const std::vector<double>& values, at::Device device) {
  if (device.is_meta()) return at::empty({static_cast<int64_t>(values.size())}, at::TensorOptions(device));
  return at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::TensorOptions(device).dtype(at::kFloat));
}

}  // namespace

AutoencoderKLWanDecoder::AutoencoderKLWanDecoder(const AutoencoderKLWanConfig& config, Weights& weights,
                                                 at::ScalarType dtype, at::Device device, Attention& attention)
    : AutoencoderKLWanDecoder(config, checked(config, weights, dtype, device), attention) {
  weights.finish();
}

AutoencoderKLWanDecoder::AutoencoderKLWanDecoder(const AutoencoderKLWanConfig& config, const VaeParameters& from,
                                                 Attention& attention)
    : attention_(attention),
      z_dim_(config.z_dim),
      options_(at::TensorOptions(from.device).dtype(from.dtype)),
      mean_(per_channel(config.latents_mean, from.device)),
      reciprocal_std_(1.0F / per_channel(config.latents_std, from.device)),
      post_quant_weight_(from.take("post_quant_conv.weight", {z_dim_, z_dim_, 1, 1, 1}).reshape({z_dim_, z_dim_})),
      post_quant_bias_(from.take("post_quant_conv.bias", {z_dim_})),
      conv_in_(from.convolution("decoder.conv_in", z_dim_, config.decoder_channels().front(), {3, 3, 3})),
      mid_first_(from, "decoder.mid_block.resnets.0", config.decoder_channels().front(),
                 config.decoder_channels().front()),
      mid_attention_(from, "decoder.mid_block.attentions.0", config.decoder_channels().front()),
      mid_second_(from, "decoder.mid_block.resnets.1", config.decoder_channels().front(),
                  config.decoder_channels().front()),
      conv_out_(from, "decoder.norm_out", "decoder.conv_out", config.decoder_channels().back(), config.out_channels) {
  const std::vector<int64_t> channels = config.decoder_channels();
  const size_t blocks = channels.size() - 1;
  for (size_t i = 0; i < blocks; ++i) {
    const std::string name = "decoder.up_blocks." + std::to_string(i);
    UpBlock block;
    int64_t in = i == 0 ? channels[0] : channels[i] / 2;  // an upsampler halves the channels
    for (int64_t r = 0; r <= config.num_res_blocks; ++r) {
      block.resnets.emplace_back(from, name + ".resnets." + std::to_string(r), in, channels[i + 1]);
      in = channels[i + 1];
    }
    if (i + 1 < blocks) {
      const bool in_time = config.temperal_downsample.at(config.temperal_downsample.size() - 1 - i);
      block.upsampler.emplace_back(from, name + ".upsamplers.0", in, in_time);
    }
    up_blocks_.push_back(std::move(block));
  }
}

AttentionSite AutoencoderKLWanDecoder::site(const AutoencoderKLWanConfig& config) {
  return PixelAttention::site(config.decoder_channels().front());
}

void AutoencoderKLWanDecoder::clear() {
  history_.clear();
  mid_first_.clear();
  mid_second_.clear();
  for (UpBlock& block : up_blocks_) {
    for (ResidualBlock& resnet : block.resnets) resnet.clear();
    for (Upsampler& upsampler : block.upsampler) upsampler.clear();
  }
  conv_out_.clear();
}

// As WanPipeline does before it calls its VAE: latents / (1 / std) + mean, here always in float32.
at::Tensor AutoencoderKLWanDecoder::denormalise(const at::Tensor& latent) const {
  const at::Tensor pixels = latent.to(options_.dtype(at::kFloat)).permute({1, 2, 0});  // [h, w, z_dim]
  return pixels.div(reciprocal_std_).add_(mean_).to(options_).contiguous();
}

at::Tensor AutoencoderKLWanDecoder::decode_frame(const at::Tensor& latent, bool first, const RawFrames& raw) {
  const at::Tensor z = at::linear(denormalise(latent), post_quant_weight_, post_quant_bias_);
  at::Tensor frames = history_.extend(1, z.sizes(), options_);
  history_.fresh(frames).copy_(z);
  history_.keep(frames);
  frames = conv_in_.run(frames);
  frames = mid_first_.run(std::move(frames));
  frames = mid_attention_.run(std::move(frames), attention_);
  frames = mid_second_.run(std::move(frames));
  for (UpBlock& block : up_blocks_) {
    for (ResidualBlock& resnet : block.resnets) frames = resnet.run(std::move(frames));
    for (Upsampler& upsampler : block.upsampler) frames = upsampler.run(std::move(frames), first);
    if (options_.device().is_cpu()) give_back_freed_memory();  // each block is several times as large as the one before
  }
  frames = conv_out_.run(std::move(frames));
  if (raw) raw(frames);
  return frames.clamp_(-1.0, 1.0);
}

void AutoencoderKLWanDecoder::decode_samples(const at::Tensor& latents, const FrameSink& sink,
                                             const DecodeProgress& progress, const RawFrames& raw) {
  if (latents.dim() != 5 || latents.size(0) != 1 || latents.size(1) != z_dim_ || latents.numel() == 0) {
    std::ostringstream text;
    text << "the VAE decodes latents [1, " << z_dim_ << ", T, h, w], not " << latents.sizes();
    throw std::invalid_argument(text.str());
  }
  const at::NoGradGuard no_grad;
  struct Forget {
    AutoencoderKLWanDecoder* decoder;
    ~Forget() { decoder->clear(); }
  } const forget{this};
  const int64_t total = latents.size(2);
  if (progress) progress(0, total);
  for (int64_t i = 0; i < total; ++i) {
    sink(decode_frame(latents.select(2, i).select(0, 0), i == 0, raw));
    if (progress) progress(i + 1, total);
  }
}

void AutoencoderKLWanDecoder::decode(const at::Tensor& latents, const FrameSink& sink, const DecodeProgress& progress,
                                     const RawFrames& raw) {
  decode_samples(
      latents, [&](const at::Tensor& samples) { sink(to_rgb8(samples)); }, progress, raw);
}

}  // namespace fastvideo::wan
