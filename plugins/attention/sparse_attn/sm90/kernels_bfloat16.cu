#include "plugins/attention/sparse_attn/sm90/kernels.cuh"

namespace fastvideo::sparse {

std::span<const Kernel> bfloat16_kernels() { return kKernels<__nv_bfloat16>; }

}  // namespace fastvideo::sparse
