#include "pipelines/common/diffusion/patches.hpp"

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>

namespace fastvideo {

void set_token_order(PatchLayout& layout, const at::Tensor& order, at::Device device) {
  layout.order = layout.position = at::Tensor();
  if (!order.defined()) return;
  const at::Tensor raster = order.to(at::kCPU, at::kLong);
  const auto [sorted, position] = raster.sort();
  if (!at::equal(sorted, at::arange(layout.tokens())))
    throw std::invalid_argument("a token order that is no permutation of " + std::to_string(layout.tokens()) +
                                " tokens");
  layout.order = raster.to(device);
  layout.position = position.to(device);
}

at::Tensor to_patches(const at::Tensor& latents, const PatchLayout& layout) {
  const auto [t, h, w] = layout.grid;
  const auto [pt, ph, pw] = layout.patch;
  const int64_t batch = latents.size(0);
  const at::Tensor patches = latents.reshape({batch, -1, t, pt, h, ph, w, pw})
                                 .permute({0, 2, 4, 6, 1, 3, 5, 7})
                                 .reshape({batch, layout.tokens(), -1});
  return layout.order.defined() ? patches.index_select(1, layout.order) : patches;
}

at::Tensor from_patches(const at::Tensor& patches, const PatchLayout& layout) {
  const auto [t, h, w] = layout.grid;
  const auto [pt, ph, pw] = layout.patch;
  const at::Tensor raster = layout.position.defined() ? patches.index_select(1, layout.position) : patches;
  return raster.reshape({patches.size(0), t, h, w, pt, ph, pw, -1})
      .permute({0, 7, 1, 4, 2, 5, 3, 6})
      .reshape({patches.size(0), -1, t * pt, h * ph, w * pw});
}

}  // namespace fastvideo
