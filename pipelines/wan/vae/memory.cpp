#include "pipelines/wan/vae/memory.hpp"

#include <algorithm>
#include <vector>

#include "pipelines/common/video_vae/convolution.hpp"

namespace fastvideo::wan {
namespace {

// One convolution as convolution.cpp computes it, in numbers of elements.
struct ConvolutionSize {
  uint64_t input;   // frames that it reads
  uint64_t result;  // and makes
  int64_t in;       // channels read for one pixel of one frame
  int64_t out;
  int64_t height, width, depth;  // of the kernel
};

// Walks through the decoder as blocks.cpp and decoder.cpp do, with numbers of elements in the place of tensors.
class Walk {
 public:
  Walk(int64_t height, int64_t width, c10::ScalarType dtype, c10::Device device)
      : height_(height), width_(width), dtype_(dtype), device_(device), path_(convolution_path(dtype, device)) {}

  void convolution_in(int64_t in, int64_t out) {
    remember(in);
    const uint64_t buffer = frames(kPast + count_, in);
    hold(buffer);
    replace(cubic(in, out));
    release(buffer);
  }

  void residual_block(int64_t in, int64_t out) {
    remember(in);
    remember(out);
    const uint64_t first = frames(kPast + count_, in), second = frames(kPast + count_, out);
    const uint64_t inner = frames(count_, out);
    hold(first);
    convolve(cubic(in, out));
    release(first);
    if (in != out) replace({frames(count_, in), inner, in, out, 1, 1, 1});
    hold(second);
    release(inner);
    if (path_ != ConvolutionPath::onednn) {  // which adds to its output
      convolve(cubic(out, out));
      release(inner);
    }
    release(second);
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
    const ConvolutionSize to_quadrants{before, quadrants, channels, 2 * channels, 2, 2, 1};
    if (in_time) {
      remember(channels);
      hold(buffer);
      release(before);
      hold(larger);
      convolve({buffer, before, channels, channels, 1, 1, 3});  // the even or the odd frames, each made into quadrants
      convolve(to_quadrants);
    } else {
      convolve(to_quadrants);
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
    const uint64_t buffer = frames(kPast + count_, in);
    hold(buffer);
    replace(cubic(in, out));
    release(buffer);
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
  // A kernel of 3x3x3 that keeps height and width.
  ConvolutionSize cubic(int64_t in, int64_t out) const {
    return {frames(kPast + count_, in), frames(count_, out), in, out, 3, 3, 3};
  }
  // Holds the result of a convolution and, while the convolution runs, its temporaries.
  void convolve(const ConvolutionSize& shape) {
    uint64_t beside = 0;
    if (path_ == ConvolutionPath::onednn_in_float32) {
      const uint64_t wide_input = 2 * shape.input, wide_result = 2 * shape.result;
      beside = wide_result + std::max(wide_input, shape.result) - shape.result;  // the input is freed before that
    } else if (path_ == ConvolutionPath::libtorch) {
      // On the CPU a column of inputs for each pixel; one frame of the kernel after the other, added up.
      const auto taps = static_cast<uint64_t>(shape.height * shape.width);
      if (taps > 1 && device_.is_cpu())
        beside = shape.result / static_cast<uint64_t>(shape.out) * static_cast<uint64_t>(shape.in) * taps;
      if (shape.depth > 1 && faster_as_images(dtype_, device_, shape.in)) beside += shape.result;
    }
    hold(shape.result);
    hold(beside);
    release(beside);
  }
  // The result replaces the current frames; both are alive for a moment.
  void replace(const ConvolutionSize& shape) {
    convolve(shape);
    release(current_);
    current_ = shape.result;
  }

  int64_t height_, width_;
  c10::ScalarType dtype_;
  c10::Device device_;
  ConvolutionPath path_;
  int64_t count_ = 1;  // frames, of a latent frame that is not the first
  uint64_t current_ = 0, live_ = 0, peak_ = 0, remembered_ = 0;
};

}  // namespace

uint64_t decode_peak_bytes(const AutoencoderKLWanConfig& config, int64_t latent_height, int64_t latent_width,
                           c10::ScalarType dtype, c10::Device device) {
  const std::vector<int64_t> channels = config.decoder_channels();
  Walk walk(latent_height, latent_width, dtype, device);
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

uint64_t decoder_element_size(c10::ScalarType dtype, c10::Device device) {
  const bool is_wide = convolution_path(dtype, device) == ConvolutionPath::onednn_in_float32;
  return c10::elementSize(is_wide ? c10::kFloat : dtype);
}

}  // namespace fastvideo::wan
