#include "pipelines/common/layers/linear.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace fastvideo {

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

at::Tensor Linear::with_gelu(const at::Tensor& x) const {
  if (x.is_cuda() && bias.defined()) {
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = weight.size(0);
    return at::_addmm_activation(bias, x.reshape({-1, x.size(-1)}), weight.t(), 1, 1, /*use_gelu=*/true).view(shape);
  }
  at::Tensor y = (*this)(x);
  return at::gelu_(y, "tanh");
}

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
