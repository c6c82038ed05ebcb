// What a video begins as.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pipelines/common/request/sizes.hpp"

namespace fastvideo {

/// Standard normal numbers, those of torch.randn with a CPU generator of that seed: float32 on the CPU.
at::Tensor initial_noise(at::IntArrayRef shape, uint64_t seed);

/// The same as latents [1, channels, T, h, w] of one video.
at::Tensor initial_noise(int64_t channels, const LatentShape& shape, uint64_t seed);

}  // namespace fastvideo
