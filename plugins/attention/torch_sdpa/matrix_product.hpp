// LibTorch's matrix product (cuBLAS on CUDA) behind the ABI: the ceiling that `fastvideo bench attention` measures.
#pragma once

#include <fastvideo/matrix_product.h>

namespace fastvideo::torch_sdpa {

/// The table lives for ever.
const fv_matrix_product_interface* matrix_product();

}  // namespace fastvideo::torch_sdpa
