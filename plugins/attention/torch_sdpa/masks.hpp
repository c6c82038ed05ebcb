// All masks of a call as the one mask that scaled_dot_product_attention takes.
#pragma once

#include <ATen/core/Tensor.h>
#include <fastvideo/attention.h>

namespace fastvideo::torch_sdpa {

/// The mask of a call, undefined if every query sees every key: args.mask and args.key_lengths, and if `causal` that
/// query i sees keys 0 to i. bool (true = seen), or added to the scores, then in a type that LibTorch takes beside
/// queries of type `dtype`. 4-dimensional, broadcastable to [B, H, Lq, Lk].
at::Tensor merge_masks(const fv_attention_args& args, bool causal, at::ScalarType dtype);

/// Sets to zero the rows of `out` [B, H, Lq, D] whose query sees no key under `mask`.
void clear_blind_rows(at::Tensor& out, const at::Tensor& mask);

}  // namespace fastvideo::torch_sdpa
