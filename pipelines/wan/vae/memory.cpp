#include "pipelines/wan/vae/memory.hpp"

#include <algorithm>
#include <vector>

namespace fastvideo::wan {
namespace {

// Walks through the decoder as blocks.cpp and decoder.cpp do, with numbers of elements in the place of tensors.
class Walk {
 public:
  Walk(int64_t height, int64_t width) : height_(height), width_(width) {}

  void convolution_in(int64_t in, int64_t out) {
    remember(in);
    hold(frames(kPast + count_, in));
    start(out);
    release(frames(kPast + count_, in));
  }

  void residual_block(int64_t in, int64_t out) {
    remember(in);
    remember(out);
    const uint64_t buffer = frames(kPast + count_, in), inner = frames(count_, out);
    hold(buffer);
    hold(inner);
    release(buffer);
    if (in != out) start(out);
    hold(frames(kPast + count_, out));
    release(inner);
    release(frames(kPast + count_, out));
  }

  void attention(int64_t channels) {
    hold(frames(count_, channels));      // normalised
    hold(frames(count_, 3 * channels));  // queries, keys, values
    hold(frames(count_, channels));      // mixed
    hold(frames(count_, channels));      // projected
    release(frames(count_, 6 * channels));
  }

  void upsampler(int64_t channels, bool in_time) {
    const uint64_t quadrants = static_cast<uint64_t>(count_ * (height_ + 1) * (width_ + 1) * 2 * channels);
    const uint64_t before = frames(count_, channels);
    const uint64_t buffer = in_time ? frames(kPast + count_, channels) : 0;
    const uint64_t larger = before * (in_time ? 4 : 2);  // 2x2 the size, half the channels, and twice as many in time
    if (in_time) {
      remember(channels);
      hold(buffer);
      release(before);
      hold(larger);
      hold(before);  // the even or the odd frames, each made into quadrants
      hold(quadrants);
    } else {
      hold(quadrants);
      release(before);
      hold(larger);
    }
    release(buffer + quadrants + (in_time ? before : 0));
    height_ *= 2;
    width_ *= 2;
    if (in_time) count_ *= 2;
    current_ = larger;
  }

  void convolution_out(int64_t in, int64_t out) {
    remember(in);
    hold(frames(kPast + count_, in));
    start(out);
    release(frames(kPast + count_, in));
    // 8-bit frames by way of a float32 copy: two elements' room for float32, three for bfloat16, at most.
    hold(3 * frames(count_, out));
  }

  uint64_t peak_elements() const { return peak_ + remembered_; }

 private:
  static constexpr int64_t kPast = 2;  // a causal convolution of extent 3 remembers 2 frames

  uint64_t frames(int64_t count, int64_t channels) const {
    return static_cast<uint64_t>(count * height_ * width_ * channels);
  }
  void remember(int64_t channels) { remembered_ += frames(kPast, channels); }
  void hold(uint64_t elements) {
    live_ += elements;
    peak_ = std::max(peak_, live_);
  }
  void release(uint64_t elements) { live_ -= elements; }
  // The current frames give way to new ones, both alive for a moment.
  void start(int64_t channels) {
    hold(frames(count_, channels));
    release(current_);
    current_ = frames(count_, channels);
  }

  int64_t height_, width_;
  int64_t count_ = 1;  // frames, of a latent frame that is not the first
  uint64_t current_ = 0, live_ = 0, peak_ = 0, remembered_ = 0;
};

}  // namespace

uint64_t decode_peak_bytes(const AutoencoderKLWanConfig& config, int64_t latent_height, int64_t latent_width,
                           c10::ScalarType dtype) {
  const std::vector<int64_t> channels = config.decoder_channels();
  Walk walk(latent_height, latent_width);
  walk.convolution_in(config.z_dim, channels[0]);
  walk.residual_block(channels[0], channels[0]);
  walk.attention(channels[0]);
  walk.residual_block(channels[0], channels[0]);
  for (size_t i = 0; i + 1 < channels.size(); ++i) {
    int64_t in = i == 0 ? channels[0] : channels[i] / 2;
    for (int64_t r = 0; r <= config.num_res_blocks; ++r, in = channels[i + 1]) walk.residual_block(in, channels[i + 1]);
    if (i + 2 < channels.size()) walk.upsampler(in, config.temperal_downsample.rbegin()[static_cast<int64_t>(i)]);
  }
  walk.convolution_out(channels.back(), config.out_channels);
  return walk.peak_elements() * c10::elementSize(dtype);
}

}  // namespace fastvideo::wan
