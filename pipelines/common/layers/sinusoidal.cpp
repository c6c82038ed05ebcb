#include "pipelines/common/layers/sinusoidal.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace fastvideo {

at::Tensor sinusoidal_embedding(const at::Tensor& timestep, int64_t channels) {
  const int64_t half = channels / 2;
  const at::Tensor exponents =
      at::arange(half, timestep.options().dtype(at::kFloat)).mul_(-std::log(10000.0)).div_(half);
  const at::Tensor angles = timestep.to(at::kFloat).unsqueeze(1) * at::exp(exponents);
  return at::cat({angles.cos(), angles.sin()}, 1);
}

}  // namespace fastvideo
