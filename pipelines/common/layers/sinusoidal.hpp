// Sinusoidal embeddings of a number.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fastvideo {

/// Cosines, then sines of a time, float32 [B, channels], channels even; frequencies 10000^(-i / half) (Vaswani et al.
/// 2017, section 3.5).
at::Tensor sinusoidal_embedding(const at::Tensor& timestep, int64_t channels);

}  // namespace fastvideo
