// Decoded samples as 8-bit RGB.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo {

/// Samples in -1 to 1 as uint8 on the CPU: round(255 * clamp(x / 2 + 1/2, 0, 1)) in float32, halves to even.
at::Tensor to_rgb8(const at::Tensor& samples);

}  // namespace fastvideo
