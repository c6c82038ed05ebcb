#include "plugins/attention/sparse_attn/sm90/kernels.cuh"

namespace fastvideo::sparse {

std::span<const Kernel> float16_kernels() { return kKernels<__half>; }

}  // namespace fastvideo::sparse
