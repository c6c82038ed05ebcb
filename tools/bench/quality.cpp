#include "tools/bench/quality.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace fastvideo::host {
namespace {

constexpr int kRadius = 5;
constexpr int kWindow = 2 * kRadius + 1;
constexpr double kPeak = 255;

void require_comparable(const FramesView& a, const FramesView& b) {
  const auto bytes = static_cast<size_t>(a.frames) * static_cast<size_t>(a.height) * static_cast<size_t>(a.width) * 3;
  if (!a.same_shape(b) || bytes == 0 || a.pixels.size() != bytes || b.pixels.size() != bytes)
    throw std::logic_error("clips of different shapes, or empty ones, are compared");
}

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> weights{};
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) sum += weights[i] = std::exp(-0.5 * (i - kRadius) * (i - kRadius) / (1.5 * 1.5));
  for (double& weight : weights) weight /= sum;
  return weights;
}

// The moments that SSIM needs, weighed over a window.
struct Moments {
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;

  void add(double weight, const Moments& m) {
    a += weight * m.a;
    b += weight * m.b;
    aa += weight * m.aa;
    bb += weight * m.bb;
    ab += weight * m.ab;
  }
  // Equation 13 of the paper.
  double ssim() const {
    constexpr double kC1 = (0.01 * kPeak) * (0.01 * kPeak), kC2 = (0.03 * kPeak) * (0.03 * kPeak);
    const double variances = aa - a * a + bb - b * b;
    const double covariance = ab - a * b;
    return (2 * a * b + kC1) * (2 * covariance + kC2) / ((a * a + b * b + kC1) * (variances + kC2));
  }
};

// One channel of one frame. The window is separable: down the columns of a row of windows, then along it.
double plane_ssim(const uint8_t* a, const uint8_t* b, int height, int width) {
  static const std::array<double, kWindow> weights = gaussian();
  const auto at = [&](const uint8_t* plane, int y, int x) {
    return static_cast<double>(plane[3 * (static_cast<ptrdiff_t>(y) * width + x)]);
  };
  std::vector<Moments> columns(static_cast<size_t>(width));
  double sum = 0;
  for (int y = kRadius; y < height - kRadius; ++y) {
    for (int x = 0; x < width; ++x) {
      Moments column;
      for (int i = 0; i < kWindow; ++i) {
        const double p = at(a, y + i - kRadius, x), q = at(b, y + i - kRadius, x);
        column.add(weights[i], {p, q, p * p, q * q, p * q});
      }
      columns[static_cast<size_t>(x)] = column;
    }
    for (int x = kRadius; x < width - kRadius; ++x) {
      Moments window;
      for (int i = 0; i < kWindow; ++i) window.add(weights[i], columns[static_cast<size_t>(x + i - kRadius)]);
      sum += window.ssim();
    }
  }
  return sum / (static_cast<double>(height - 2 * kRadius) * (width - 2 * kRadius));
}

}  // namespace

double mean_squared_error(const FramesView& a, const FramesView& b) {
  require_comparable(a, b);
  uint64_t sum = 0;  // exact: 255^2 times 2.8e14 pixels fit
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const int difference = int{a.pixels[i]} - int{b.pixels[i]};
    sum += static_cast<uint64_t>(difference * difference);
  }
  return static_cast<double>(sum) / static_cast<double>(a.pixels.size());
}

double psnr(double mean_squared_error) {
  if (mean_squared_error == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(kPeak * kPeak / mean_squared_error);
}

std::optional<double> ssim(const FramesView& a, const FramesView& b) {
  require_comparable(a, b);
  if (a.height < kWindow || a.width < kWindow) return std::nullopt;
  const size_t frame = size_t{3} * static_cast<size_t>(a.height) * static_cast<size_t>(a.width);
  double sum = 0;
  for (int64_t f = 0; f < a.frames; ++f)
    for (size_t channel = 0; channel < 3; ++channel) {
      const size_t offset = static_cast<size_t>(f) * frame + channel;
      sum += plane_ssim(a.pixels.data() + offset, b.pixels.data() + offset, a.height, a.width);
    }
  return sum / static_cast<double>(3 * a.frames);
}

}  // namespace fastvideo::host
