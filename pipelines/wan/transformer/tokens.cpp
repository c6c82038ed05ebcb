#include "pipelines/wan/transformer/tokens.hpp"

#include <ATen/ATen.h>

#include <fastvideo/core.hpp>
#include <stdexcept>
#include <string>

namespace fastvideo::wan {
namespace {

constexpr double kRotaryBase = 10000.0;
constexpr const char* kAxes[] = {"frames", "rows", "columns"};

// Angles of positions 0..count-1 along one axis, float64 [count, channels / 2].
at::Tensor axis_angles(int64_t count, int64_t channels) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor exponents = at::arange(0, channels, 2, options) / channels;
  return at::outer(at::arange(count, options), at::pow(kRotaryBase, exponents).reciprocal());
}

}  // namespace

RotaryTable rotary_table(std::array<int64_t, 3> grid, int64_t head_dim) {
  const int64_t spatial = 2 * (head_dim / 6);
  const std::array<int64_t, 3> channels = {head_dim - 2 * spatial, spatial, spatial};
  std::vector<at::Tensor> axes;
  for (size_t axis = 0; axis < 3; ++axis) {
    std::vector<int64_t> shape = {1, 1, 1, channels[axis] / 2};
    shape[axis] = grid[axis];
    axes.push_back(
        axis_angles(grid[axis], channels[axis]).view(shape).expand({grid[0], grid[1], grid[2], channels[axis] / 2}));
  }
  const at::Tensor angles = at::cat(axes, -1).view({grid[0] * grid[1] * grid[2], head_dim / 2});
  return {angles.cos().to(at::kFloat), angles.sin().to(at::kFloat)};
}

TokenLayout make_token_layout(const WanTransformerConfig& config, std::array<int64_t, 3> latent_size,
                              const at::Tensor& order, at::Device device) {
  TokenLayout layout;
  layout.patch = config.patch_size;
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t patch = config.patch_size[axis];
    if (latent_size[axis] < patch || latent_size[axis] % patch != 0)
      throw Refused("the latents' " + std::string(kAxes[axis]) + ", " + std::to_string(latent_size[axis]) +
                    ", are not a multiple of the transformer's patch, " + std::to_string(patch));
    layout.grid[axis] = latent_size[axis] / patch;
    if (layout.grid[axis] > config.rope_max_seq_len)
      throw Refused("the video has " + std::to_string(layout.grid[axis]) + " " + kAxes[axis] +
                    " of tokens, the transformer's rope_max_seq_len is " + std::to_string(config.rope_max_seq_len));
  }
  layout.rotary = rotary_table(layout.grid, config.attention_head_dim);
  set_token_order(layout, order, device);
  if (order.defined()) {
    const at::Tensor raster = order.to(at::kCPU, at::kLong);
    layout.rotary = {layout.rotary.cos.index_select(0, raster), layout.rotary.sin.index_select(0, raster)};
  }
  layout.rotary = {layout.rotary.cos.to(device), layout.rotary.sin.to(device)};
  return layout;
}

}  // namespace fastvideo::wan
