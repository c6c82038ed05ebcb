// Tensor maps: how the copy engine is told about a tensor.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace fastvideo::hopper {

/// A tensor [batch, token, head, size] of 16-bit elements in device memory; strides in elements, that of size 1.
struct TokenTensor {
  const void* data;
  int64_t batch, tokens, heads, size;
  int64_t batch_stride, token_stride, head_stride;
};

/// A map for boxes of 64 columns of box_tokens tokens of one head, swizzled by 128 bytes; what lies outside reads as 0.
/// bfloat16: the elements, otherwise float16. Host work only. Throws std::runtime_error with the driver's reason.
CUtensorMap make_tensor_map(const TokenTensor& tensor, int box_tokens, bool bfloat16);

}  // namespace fastvideo::hopper
