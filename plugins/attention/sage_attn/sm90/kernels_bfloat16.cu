#include "plugins/attention/sage_attn/sm90/kernels.cuh"

namespace fastvideo::sage {

std::span<const Kernels> bfloat16_kernels() { return kKernels<__nv_bfloat16>; }

}  // namespace fastvideo::sage
