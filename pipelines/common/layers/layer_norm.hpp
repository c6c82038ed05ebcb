// Layer normalisation (Ba et al. 2016, arXiv 1607.06450) as diffusion transformers use it: after a residual sum that
// may be gated, before an affine map that may depend on the time (Peebles and Xie 2023, arXiv 2212.09748). All
// arithmetic in float32, each result rounded once to x's dtype. On CUDA, one kernel for each operation if the project's
// kernels support the sizes.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo {

/// x scale + shift for each channel: float32 [dim], or [B, dim] for each row of a batch, last stride 1.
struct Affine {
  at::Tensor scale;
  at::Tensor shift;
};

/// The residual stream after a sum, and its norm, which the next layer reads.
struct SumAndNorm {
  at::Tensor sum;
  at::Tensor normed;
};

/// The norm over the last dimension, then the map. x: [B, L, dim]. A new tensor.
at::Tensor layer_norm(const at::Tensor& x, const Affine& map, double eps);

/// x + gate * y, written over y. gate: float32 [B, dim], or undefined for 1.
at::Tensor add_gated(const at::Tensor& x, at::Tensor y, const at::Tensor& gate);

/// Both in one: sum is add_gated(x, y, gate), normed is layer_norm(sum, map, eps).
SumAndNorm add_and_norm(const at::Tensor& x, at::Tensor y, const at::Tensor& gate, const Affine& map, double eps);

/// The same functions with LibTorch's operators: for devices other than CUDA, and as the reference of the kernels.
namespace by_libtorch {
at::Tensor layer_norm(const at::Tensor& x, const Affine& map, double eps);
at::Tensor add_gated(const at::Tensor& x, at::Tensor y, const at::Tensor& gate);
}  // namespace by_libtorch

}  // namespace fastvideo
