#include "pipelines/wan/vae/parameters.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace fastvideo::wan {

at::Tensor VaeParameters::take(const std::string& name, at::IntArrayRef shape) const {
  // A copy: a borrowed tensor would keep the whole file mapped.
  at::Tensor copy = weights->take(name, shape, dtype, device).clone();
  weights->release(name);
  return copy;
}

Convolution VaeParameters::convolution(const std::string& name, int64_t in, int64_t out,
                                       std::array<int64_t, 3> kernel) const {
  Convolution packed(weights->take(name + ".weight", {out, in, kernel[0], kernel[1], kernel[2]}, dtype, device),
                     take(name + ".bias", {out}), {kernel[1] / 2, kernel[2] / 2});
  weights->release(name + ".weight");
  return packed;
}

at::Tensor VaeParameters::gamma(const std::string& name, int64_t channels, int64_t axes) const {
  std::vector<int64_t> shape(static_cast<size_t>(axes) + 1, 1);
  shape[0] = channels;
  return weights->take(name + ".gamma", shape, at::kFloat, device).reshape({channels}).clone();
}

}  // namespace fastvideo::wan
