// FlashAttention-2 (Dao 2023) in LibTorch: the operator aten::_flash_attention_forward.
#pragma once

#include "plugins/attention/flash_attn/torch_call.hpp"

namespace fastvideo::fa2 {

using flash_torch::Call;

/// Enqueues a call on LibTorch's current stream. Keys at and behind a row's length are not read; a row without keys
/// gives zeros and minus infinity. Throws c10::Error.
void attend(const Call& call);

}  // namespace fastvideo::fa2
