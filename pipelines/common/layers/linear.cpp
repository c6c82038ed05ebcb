#include "pipelines/common/layers/linear.hpp"

#include <ATen/ATen.h>

namespace fastvideo {

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

Linear take_linear(Weights& weights, const std::string& name, int64_t in, int64_t out, Placement placement) {
  Linear linear = take_linear_without_bias(weights, name, in, out, placement);
  linear.bias = weights.take(name + ".bias", {out}, placement.dtype, placement.device);
  return linear;
}

Linear take_linear_without_bias(Weights& weights, const std::string& name, int64_t in, int64_t out,
                                Placement placement) {
  return {weights.take(name + ".weight", {out, in}, placement.dtype, placement.device), {}};
}

}  // namespace fastvideo
