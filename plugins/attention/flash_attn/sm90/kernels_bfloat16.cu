#include "plugins/attention/flash_attn/sm90/launch.cuh"

namespace fastvideo::sm90 {

std::span<const Kernel> bfloat16_kernels() {
  using Element = __nv_bfloat16;
  using hopper::ExactSoftmax;
  using hopper::LazySoftmax;
  // Head size, width of a key block, consumers, cluster, softmax.
  static constexpr Kernel kKernels[] = {
      kernel<Shape<Element, 128, 176, 2, 1, LazySoftmax<Element>>>("128x176"),
      kernel<Shape<Element, 128, 176, 2, 1, ExactSoftmax>>("128x176e"),
      kernel<Shape<Element, 128, 176, 2, 2, ExactSoftmax>>("128x176c2e"),
      kernel<Shape<Element, 128, 128, 2, 1, LazySoftmax<Element>>>("128x128"),
      kernel<Shape<Element, 128, 128, 2, 1, ExactSoftmax>>("128x128e"),
      kernel<Shape<Element, 64, 128, 3, 1, LazySoftmax<Element>>>("192x128"),
      kernel<Shape<Element, 64, 128, 3, 1, ExactSoftmax>>("192x128e"),
  };
  return kKernels;
}

}  // namespace fastvideo::sm90
