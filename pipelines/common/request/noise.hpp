// The initial noise of a video.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pipelines/common/request/sizes.hpp"

namespace fastvideo {

/// The standard normal numbers that torch.randn gives with a CPU generator of this seed: float32 on the CPU.
at::Tensor initial_noise(at::IntArrayRef shape, uint64_t seed);

/// The same numbers as latents [1, channels, T, h, w] of one video.
at::Tensor initial_noise(int64_t channels, const LatentShape& shape, uint64_t seed);

}  // namespace fastvideo
