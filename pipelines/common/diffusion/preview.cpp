#include "pipelines/common/diffusion/preview.hpp"

#include <ATen/ATen.h>

namespace fastvideo {
namespace {

constexpr double kLevel = 0.7;  // standard deviations: near the mean latent, past the flat region around it

// Sylvester's matrix: rows and columns of +1 and -1, each orthogonal to every other.
at::Tensor hadamard(int64_t at_least) {
  at::Tensor matrix = at::ones({1, 1});
  while (matrix.size(0) < at_least) matrix = at::cat({at::cat({matrix, matrix}, 1), at::cat({matrix, -matrix}, 1)});
  return matrix;
}

}  // namespace

LatentColours linearised(const ColourOf& colour_of, int64_t channels) {
  const at::Tensor design = hadamard(channels);
  const int64_t rows = design.size(0);
  at::Tensor offset = at::zeros({3}), slope = at::zeros({channels, 3});
  for (int64_t row = 0; row < rows; ++row) {
    const at::Tensor signs = design[row].narrow(0, 0, channels), latent = signs * kLevel;
    const at::Tensor up = colour_of(latent), down = colour_of(-latent);
    offset += (up + down) / (2.0 * static_cast<double>(rows));
    slope += at::outer(signs, up - down) / (2.0 * kLevel * static_cast<double>(rows));
  }
  return {offset, slope};
}

at::Tensor picture_of(const LatentColours& colours, const at::Tensor& latents) {
  const at::Tensor pixels = latents[0].to(at::kFloat).permute({1, 2, 3, 0});  // [T, h, w, C]
  const at::Tensor slope = colours.slope.to(latents.device()), offset = colours.offset.to(latents.device());
  const at::Tensor rgb = at::matmul(pixels, slope) + offset;
  return ((rgb / 2 + 0.5).clamp_(0, 1) * 255).round_().to(at::kByte).cpu().contiguous();
}

}  // namespace fastvideo
