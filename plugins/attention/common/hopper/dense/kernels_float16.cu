#include "plugins/attention/common/hopper/dense/dense.cuh"

namespace fastvideo::dense {

std::span<const Kernel> float16_kernels() { return kKernels<__half>; }

}  // namespace fastvideo::dense
