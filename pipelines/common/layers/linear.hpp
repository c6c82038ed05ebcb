// An affine map with its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "pipelines/common/weights/weights.hpp"

namespace fastvideo {

/// The device and the dtype in which a model holds its weights and computes.
struct Placement {
  at::ScalarType dtype;
  at::Device device;
};

/// y = x weight^T + bias.
struct Linear {
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out], or undefined

  /// [..., in] -> [..., out]
  at::Tensor operator()(const at::Tensor& x) const;

  /// GELU of y, by the tanh approximation (Hendrycks and Gimpel 2016, arXiv 1606.08415). With a bias on CUDA in the
  /// epilogue of the matrix product, before the result is rounded.
  at::Tensor with_gelu(const at::Tensor& x) const;
};

/// Takes `name`.weight and `name`.bias.
Linear take_linear(Weights& weights, const std::string& name, int64_t in, int64_t out, Placement placement);
/// Takes `name`.weight.
Linear take_linear_without_bias(Weights& weights, const std::string& name, int64_t in, int64_t out,
                                Placement placement);

}  // namespace fastvideo
