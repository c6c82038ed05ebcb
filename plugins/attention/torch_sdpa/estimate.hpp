// Estimated times of LibTorch's kernels, for choosing between backends.
#pragma once

#include <ATen/SDPBackend.h>
#include <fastvideo/attention.h>

namespace fastvideo::torch_sdpa {

/// Microseconds of one run, from measurements on an H200 without masks (docs/measured/attention_turns.md); 0: no
/// estimate. cuDNN: within 15 % at head sizes 64 and 128.
double estimate(const fv_attention_site& site, at::SDPBackend kernel);

}  // namespace fastvideo::torch_sdpa
