// How much memory decoding takes, from the configuration alone.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>

#include "pipelines/common/model_folder/configs.hpp"

namespace fastvideo::wan {

/// Bytes that AutoencoderKLWanDecoder holds at its peak for a clip of any length: the frames its convolutions remember,
/// activations, and the frames handed to the sink. Not counted: weights, the caller's latents, what the attention
/// backend and the convolution library use for themselves.
uint64_t decode_peak_bytes(const AutoencoderKLWanConfig& config, int64_t latent_height, int64_t latent_width,
                           c10::ScalarType dtype);

}  // namespace fastvideo::wan
