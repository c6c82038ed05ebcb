#include "pipelines/common/request/noise.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace fastvideo {

at::Tensor initial_noise(at::IntArrayRef shape, uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
}

at::Tensor initial_noise(int64_t channels, const LatentShape& shape, uint64_t seed) {
  return initial_noise({1, channels, shape.latent_frames, shape.latent_height, shape.latent_width}, seed);
}

}  // namespace fastvideo
