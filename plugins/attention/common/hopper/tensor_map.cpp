#include "plugins/attention/common/hopper/tensor_map.hpp"

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace fastvideo::hopper {
namespace {

// The driver's function, found through the runtime: nothing links libcuda, which machines without a GPU lack.
PFN_cuTensorMapEncodeTiled_v12000 encoder() {
  static const auto function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    if (error != cudaSuccess || result != cudaDriverEntryPointSuccess)
      throw std::runtime_error("the CUDA driver has no cuTensorMapEncodeTiled: it must be 12.0 or newer");
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(found);
  }();
  return function;
}

CUtensorMapDataType data_type(MapElement element) {
  switch (element) {
    case MapElement::bfloat16:
      return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    case MapElement::float16:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case MapElement::byte:
      return CU_TENSOR_MAP_DATA_TYPE_UINT8;
  }
  throw std::logic_error("an element of a tensor map that does not exist");
}

}  // namespace

CUtensorMap make_tensor_map(const TokenTensor& t, int box_tokens, MapElement element, int box_bytes) {
  const cuuint64_t bytes = element == MapElement::byte ? 1 : 2;
  const cuuint64_t row_bytes = std::min(static_cast<cuuint64_t>(box_bytes), static_cast<cuuint64_t>(t.size) * bytes);
  // The stride of a dimension of length 1 is meaningless, and the engine might refuse it.
  const auto stride = [&](int64_t length, int64_t elements) {
    return static_cast<cuuint64_t>(length == 1 ? t.size : elements) * bytes;
  };
  const cuuint64_t lengths[4] = {static_cast<cuuint64_t>(t.size), static_cast<cuuint64_t>(t.tokens),
                                 static_cast<cuuint64_t>(t.heads), static_cast<cuuint64_t>(t.batch)};
  const cuuint64_t strides[3] = {stride(t.tokens, t.token_stride), stride(t.heads, t.head_stride),
                                 stride(t.batch, t.batch_stride)};
  const cuuint32_t box[4] = {static_cast<cuuint32_t>(row_bytes / bytes), static_cast<cuuint32_t>(box_tokens), 1, 1},
                   steps[4] = {1, 1, 1, 1};
  CUtensorMap map{};
  const CUresult result = encoder()(&map, data_type(element), 4, const_cast<void*>(t.data), lengths, strides, box,
                                    steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                                    row_bytes == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B,
                                    CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS)
    throw std::runtime_error("the copy engine takes no tensor [" + std::to_string(t.batch) + ", " +
                             std::to_string(t.tokens) + ", " + std::to_string(t.heads) + ", " + std::to_string(t.size) +
                             "] with strides of " + std::to_string(t.batch_stride) + ", " +
                             std::to_string(t.token_stride) + " and " + std::to_string(t.head_stride) +
                             " elements (CUDA driver error " + std::to_string(static_cast<int>(result)) + ")");
  return map;
}

}  // namespace fastvideo::hopper
