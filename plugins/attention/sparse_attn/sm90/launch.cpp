#include "plugins/attention/sparse_attn/sm90/launch.hpp"

namespace fastvideo::sparse {

const Kernel* find_kernel(bool bfloat16, int head_size, std::string_view key_block) {
  for (const Kernel& one : bfloat16 ? bfloat16_kernels() : float16_kernels())
    if (one.head_size == head_size && (key_block == "auto" || key_block == one.key_block)) return &one;
  return nullptr;
}

const SkippingKernel* find_skipping_kernel(bool bfloat16, int head_size) {
  for (const SkippingKernel& one : skipping_kernels())
    if (one.bfloat16 == bfloat16 && one.head_size == head_size) return &one;
  return nullptr;
}

}  // namespace fastvideo::sparse
