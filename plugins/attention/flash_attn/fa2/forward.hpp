// FlashAttention-2 (Dao 2023) as LibTorch has it: the operator aten::_flash_attention_forward.
#pragma once

#include <ATen/core/Tensor.h>

namespace fastvideo::fa2 {

/// One call. All tensors are on one device.
struct Call {
  at::Tensor q;            ///< [B, Lq, H, D], as out
  at::Tensor k;            ///< [B, Lk, Hkv, D], as v
  at::Tensor v;            //
  at::Tensor out;          ///< written whole
  at::Tensor key_lengths;  ///< undefined, or int32 [B]
  at::Tensor log_sum_exp;  ///< undefined, or float32 [B, H, Lq], written whole
  double scale = 1;
};

/// Enqueues a call on LibTorch's current stream. Keys at and behind a row's length are not read; a row without keys
/// gives zeros and minus infinity. Throws c10::Error.
void attend(const Call& call);

}  // namespace fastvideo::fa2
