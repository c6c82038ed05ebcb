// The VAE's normalisation: x / max(|x|_2 over channels, 1e-12) * sqrt(C) * gamma, and the SiLU that mostly follows it.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo::wan {

enum class Activation { none, silu };

/// Writes the normalised x to out. x, out: [..., C], contiguous, of one shape, dtype (float32 or bfloat16) and device,
/// not overlapping; gamma: float32 [C]. Computes in float32 and rounds once.
void rms_norm(const at::Tensor& x, const at::Tensor& gamma, Activation activation, at::Tensor& out);

}  // namespace fastvideo::wan
