#include "plugins/attention/flash_attn/sm90/launch.cuh"

namespace fastvideo::sm90 {

std::span<const Kernel> float16_kernels() {
  using Element = __half;
  // Head size, width of a key block, consumers, cluster.
  static constexpr Kernel kKernels[] = {
      kernel<hopper::Shape<Element, 128, 176, 2, 1>>("128x176"),
      kernel<hopper::Shape<Element, 128, 176, 2, 2>>("128x176c2"),
      kernel<hopper::Shape<Element, 128, 128, 2, 1>>("128x128"),
      kernel<hopper::Shape<Element, 64, 128, 3, 1>>("192x128"),
      kernel<hopper::Shape<Element, 64, 128, 3, 2>>("192x128c2"),
      kernel<hopper::Shape<Element, 64, 192, 2, 1>>("128x192"),
  };
  return kKernels;
}

}  // namespace fastvideo::sm90
