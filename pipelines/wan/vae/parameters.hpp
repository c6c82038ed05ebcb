// Takes the VAE's weights by name, in the forms that its layers compute with.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "pipelines/common/video_vae/convolution.hpp"
#include "pipelines/common/weights/weights.hpp"

namespace fastvideo::wan {

/// Weights, and the dtype and device to take them in. A view: copies are cheap.
struct VaeParameters {
  Weights* weights;
  at::ScalarType dtype;
  at::Device device;

  /// NAME.weight [out, in, kernel...] and NAME.bias: kernel (t, h, w), a convolution that keeps height and width.
  Convolution convolution(const std::string& name, int64_t in, int64_t out, std::array<int64_t, 3> kernel) const;

  /// NAME.gamma as float32 [channels]; stored with this many axes of length 1 behind.
  at::Tensor gamma(const std::string& name, int64_t channels, int64_t axes) const;

  /// NAME itself, as a copy.
  at::Tensor take(const std::string& name, at::IntArrayRef shape) const;
};

}  // namespace fastvideo::wan
