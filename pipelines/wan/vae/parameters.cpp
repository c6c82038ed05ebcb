#include "pipelines/wan/vae/parameters.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace fastvideo::wan {

Convolution VaeParameters::convolution(const std::string& name, int64_t in, int64_t out,
                                       std::array<int64_t, 3> kernel) const {
  return {take(name + ".weight", {out, in, kernel[0], kernel[1], kernel[2]}),
          take(name + ".bias", {out}),
          {kernel[1] / 2, kernel[2] / 2}};
}

at::Tensor VaeParameters::gamma(const std::string& name, int64_t channels, int64_t axes) const {
  std::vector<int64_t> shape(static_cast<size_t>(axes) + 1, 1);
  shape[0] = channels;
  return weights->take(name + ".gamma", shape, at::kFloat, device).reshape({channels});
}

}  // namespace fastvideo::wan
