// Tensor maps: descriptors of tensors for the copy engine.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <type_traits>

namespace fastvideo::hopper {

/// The element type of a tensor for the copy engine.
enum class MapElement { bfloat16, float16, byte };

template <class Element>
constexpr MapElement map_element() {
  return std::is_same_v<Element, __nv_bfloat16> ? MapElement::bfloat16 : MapElement::float16;
}

/// A tensor [batch, token, head, size] in device memory; strides in elements, that of size 1.
struct TokenTensor {
  const void* data;
  int64_t batch, tokens, heads, size;
  int64_t batch_stride, token_stride, head_stride;
};

/// A map for boxes of box_tokens tokens of one head, as many columns as box_bytes hold or the tensor has, swizzled by
/// the width of the box, 64 or 128 bytes; elements outside of the tensor read as 0. Host work only. Throws
/// std::runtime_error with the driver's reason.
CUtensorMap make_tensor_map(const TokenTensor& tensor, int box_tokens, MapElement element, int box_bytes = 128);

}  // namespace fastvideo::hopper
