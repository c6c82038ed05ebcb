#include "pipelines/wan/vae/blocks.hpp"

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <cmath>
#include <utility>

#include "pipelines/wan/vae/rms_norm.hpp"

namespace fastvideo::wan {

NormedConvolution::NormedConvolution(const VaeParameters& from, const std::string& norm, const std::string& convolution,
                                     int64_t in, int64_t out)
    : gamma_(from.gamma(norm, in, 3)), convolution_(from.convolution(convolution, in, out, {3, 3, 3})) {}

at::Tensor NormedConvolution::normalise(const at::Tensor& frames) {
  at::Tensor buffer = history_.extend(frames.size(0), frames.sizes().slice(1), frames.options());
  at::Tensor fresh = history_.fresh(buffer);
  rms_norm(frames, gamma_, Activation::silu, fresh);
  history_.keep(buffer);
  return buffer;
}

at::Tensor NormedConvolution::run(at::Tensor frames) {
  const at::Tensor buffer = normalise(frames);
  frames.reset();
  return convolution_.run(buffer);
}

void NormedConvolution::add_to(at::Tensor& sum, at::Tensor frames) {
  const at::Tensor buffer = normalise(frames);
  frames.reset();
  convolution_.add_to(sum, buffer);
}

ResidualBlock::ResidualBlock(const VaeParameters& from, const std::string& name, int64_t in, int64_t out)
    : first_(from, name + ".norm1", name + ".conv1", in, out),
      second_(from, name + ".norm2", name + ".conv2", out, out) {
  if (in != out) shortcut_ = from.convolution(name + ".conv_shortcut", in, out, {1, 1, 1});
}

at::Tensor ResidualBlock::run(at::Tensor frames) {
  at::Tensor inner = first_.run(frames);
  if (shortcut_) frames = shortcut_->run(frames);
  second_.add_to(frames, std::move(inner));
  return frames;
}

void ResidualBlock::clear() {
  first_.clear();
  second_.clear();
}

PixelAttention::PixelAttention(const VaeParameters& from, const std::string& name, int64_t channels)
    : site_(site(channels)),
      gamma_(from.gamma(name + ".norm", channels, 2)),
      qkv_weight_(from.take(name + ".to_qkv.weight", {3 * channels, channels, 1, 1}).view({3 * channels, channels})),
      qkv_bias_(from.take(name + ".to_qkv.bias", {3 * channels})),
      out_weight_(from.take(name + ".proj.weight", {channels, channels, 1, 1}).view({channels, channels})),
      out_bias_(from.take(name + ".proj.bias", {channels})) {}

AttentionSite PixelAttention::site(int64_t channels) {
  return {.name = FV_ROLE_VAE_MID,
          .role = FV_ROLE_VAE_MID,
          .layers = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_size = channels,
          .scale = 1.0 / std::sqrt(static_cast<double>(channels))};
}

at::Tensor PixelAttention::run(at::Tensor frames, Attention& attention) const {
  const int64_t count = frames.size(0), pixels = frames.size(1) * frames.size(2), channels = frames.size(3);
  at::Tensor normalised = at::empty_like(frames);
  rms_norm(frames, gamma_, Activation::none, normalised);
  const at::Tensor qkv = at::linear(normalised.view({count, pixels, 1, channels}), qkv_weight_, qkv_bias_);
  const at::Tensor mixed = attention.run({.site = site_,
                                          .layer = 0,
                                          .q = qkv.narrow(3, 0, channels),
                                          .k = qkv.narrow(3, channels, channels),
                                          .v = qkv.narrow(3, 2 * channels, channels)});
  frames.add_(at::linear(mixed, out_weight_, out_bias_).view_as(frames));
  return frames;
}

namespace {

// Nearest neighbour and a 3x3 convolution read each input pixel up to 9 times for each of its 4 output pixels, though
// only 2x2 different pixels go into an output pixel: row 2i sees rows i-1, i, i and row 2i+1 sees i, i, i+1. So weights
// of equal pixels are summed, which leaves four 2x2 convolutions, one for each quadrant (dy, dx) of an output pixel's
// place; as one convolution with four times the channels it costs 16 multiplications where there were 36.
Convolution quadrant_convolution(const VaeParameters& from, const std::string& name, int64_t in, int64_t out) {
  const at::Tensor weight = from.weights->take(name + ".weight", {out, in, 3, 3}, at::kFloat, from.device);
  const auto halves = [](const at::Tensor& w, int64_t axis, int64_t quadrant) {
    const at::Tensor a = w.narrow(axis, 0, 1), b = w.narrow(axis, 1, 1), c = w.narrow(axis, 2, 1);
    return quadrant == 0 ? at::cat({a, b + c}, axis) : at::cat({a + b, c}, axis);
  };
  const at::Tensor bias = from.take(name + ".bias", {out});
  if (weight.is_meta()) return {weight.unsqueeze(2), bias, {1, 1}};  // a tensor of the device meta: nothing to compute
  std::vector<at::Tensor> quadrants;
  for (const int64_t dy : {0, 1})
    for (const int64_t dx : {0, 1}) quadrants.push_back(halves(halves(weight, 2, dy), 3, dx));
  from.weights->release(name + ".weight");
  return {at::cat(quadrants).to(from.dtype).unsqueeze(2), bias.repeat({4}), {1, 1}};
}

// [T, H+1, W+1, 4 * C], quadrant (dy, dx) of pixel (i, j) at place (i + dy, j + dx), into out [T, 2H, 2W, C].
void place_quadrants(const at::Tensor& quadrants, const at::Tensor& out) {
  const int64_t height = out.size(1) / 2, width = out.size(2) / 2, channels = out.size(3);
  const at::Tensor places = out.unflatten(2, {width, 2}).unflatten(1, {height, 2});  // [T, H, 2, W, 2, C]
  for (const int64_t dy : {0, 1})
    for (const int64_t dx : {0, 1})
      places.select(4, dx).select(2, dy).copy_(
          quadrants.narrow(1, dy, height).narrow(2, dx, width).narrow(3, (2 * dy + dx) * channels, channels));
}

}  // namespace

Upsampler::Upsampler(const VaeParameters& from, const std::string& name, int64_t channels, bool in_time)
    : quadrants_(quadrant_convolution(from, name + ".resample.1", channels, channels / 2)) {
  if (!in_time) return;
  const at::Tensor weight = from.take(name + ".time_conv.weight", {2 * channels, channels, 3, 1, 1});
  const at::Tensor bias = from.take(name + ".time_conv.bias", {2 * channels});
  for (const int64_t frame : {0, 1})
    in_time_.emplace_back(weight.narrow(0, frame * channels, channels), bias.narrow(0, frame * channels, channels),
                          std::array<int64_t, 2>{0, 0});
}

at::Tensor Upsampler::run(at::Tensor frames, bool first) {
  const int64_t count = frames.size(0), height = frames.size(1), width = frames.size(2);
  const auto larger = [=, this, options = frames.options()](int64_t frames_out) {
    return at::empty({frames_out, 2 * height, 2 * width, quadrants_.out_channels() / 4}, options);
  };
  // The first latent frame is not kept in the history either: the second sees zeros before itself.
  if (in_time_.empty() || first) {
    const at::Tensor quadrants = quadrants_.run(frames);
    frames.reset();
    at::Tensor out = larger(count);
    place_quadrants(quadrants, out);
    return out;
  }
  const at::Tensor buffer = history_.extend(count, frames.sizes().slice(1), frames.options());
  history_.fresh(buffer).copy_(frames);
  history_.keep(buffer);
  frames.reset();
  at::Tensor out = larger(2 * count);
  for (const int64_t odd : {0, 1}) {
    const at::Tensor quadrants = quadrants_.run(in_time_[odd].run(buffer));
    place_quadrants(quadrants, out.unflatten(0, {count, 2}).select(1, odd));
  }
  return out;
}

}  // namespace fastvideo::wan
