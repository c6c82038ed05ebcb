#include "plugins/attention/sage_attn/sm90/kernels.cuh"

namespace fastvideo::sage {

std::span<const Kernels> float16_kernels() { return kKernels<__half>; }

}  // namespace fastvideo::sage
