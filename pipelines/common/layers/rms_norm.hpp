// Root mean square normalisation (Zhang and Sennrich 2019, arXiv 1910.07467), and its fusion with a rotary embedding.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension, in float32, rounded once. weight: [last], x's dtype.
/// A new tensor.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// A rotation for each token and each pair of channels of a head (Su et al. 2021, arXiv 2104.09864).
struct RotaryTable {
  at::Tensor cos;  ///< float32 [L, D / 2]
  at::Tensor sin;  ///< float32 [L, D / 2]
};

/// rms_norm over all heads of x [B, L, H * D]; then, if a table is given, channels 2i and 2i + 1 of each head are
/// rotated as a pair. Everything in float32, rounded once. x contiguous; its memory may be used for the result.
at::Tensor rms_norm_rotary(at::Tensor x, const at::Tensor& weight, double eps, const RotaryTable* table = nullptr);

/// The same with LibTorch's operators: for CUDA if the project's kernels do not support the sizes, and as their
/// reference.
namespace by_libtorch {
at::Tensor rms_norm_rotary(const at::Tensor& x, const at::Tensor& weight, double eps,
                           const RotaryTable* table = nullptr);
}  // namespace by_libtorch

}  // namespace fastvideo
