#include "plugins/attention/common/hopper/dense/dense.cuh"

namespace fastvideo::dense {

std::span<const Kernel> bfloat16_kernels() { return kKernels<__nv_bfloat16>; }

}  // namespace fastvideo::dense
