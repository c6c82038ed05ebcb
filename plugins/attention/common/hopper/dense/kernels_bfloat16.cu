#include "plugins/attention/common/hopper/dense/dense.cuh"

namespace fastvideo::dense {

std::span<const Kernel> bfloat16_kernels() {
  using Element = __nv_bfloat16;
  // Head size, width of a key block, consumers.
  static constexpr Kernel kKernels[] = {
      kernel<Shape<Element, 128, 176, 2>>("128x176"),
      kernel<Shape<Element, 128, 128, 2>>("128x128"),
      kernel<Shape<Element, 64, 128, 3>>("192x128"),
  };
  return kKernels;
}

}  // namespace fastvideo::dense
