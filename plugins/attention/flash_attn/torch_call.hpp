// One attention as LibTorch's tensors, for the implementations that call operators of LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo::flash_torch {

/// All tensors are on one device.
struct Call {
  at::Tensor q;            ///< [B, Lq, H, D], as out
  at::Tensor k;            ///< [B, Lk, Hkv, D], as v
  at::Tensor v;            //
  at::Tensor out;          ///< written whole
  at::Tensor key_lengths;  ///< undefined, or int32 [B]
  at::Tensor log_sum_exp;  ///< undefined, or float32 [B, H, Lq], written whole
  double scale = 1;
};

}  // namespace fastvideo::flash_torch
