// PSNR and SSIM of two clips, as scikit-image computes them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace fastvideo::host {

/// Frames as uint8 [frames, height, width, 3], contiguous. Borrowed.
struct FramesView {
  std::span<const uint8_t> pixels;
  int64_t frames = 0;
  int height = 0;
  int width = 0;

  bool same_shape(const FramesView& other) const {
    return frames == other.frames && height == other.height && width == other.width;
  }
};

/// Mean squared difference over all frames, pixels and channels, in squared levels (0 to 255^2). std::logic_error for
/// clips of different shapes or without frames.
double mean_squared_error(const FramesView& a, const FramesView& b);

/// Peak signal-to-noise ratio in dB at a peak of 255; infinity for an error of 0.
double psnr(double mean_squared_error);

/// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004) of each frame and channel, averaged over channels, then
/// frames: Gaussian window of standard deviation 1.5 and 11 x 11 pixels, K1 = 0.01, K2 = 0.03, data range 255,
/// population covariance; the mean is taken where the window lies inside the frame. scikit-image:
/// structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
/// channel_axis=-1). Nothing for frames with a side below 11 pixels. std::logic_error as above.
std::optional<double> ssim(const FramesView& a, const FramesView& b);

}  // namespace fastvideo::host
