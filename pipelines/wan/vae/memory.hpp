// How much memory decoding takes, from the configuration alone.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "pipelines/wan/folder/vae_config.hpp"

namespace fastvideo::wan {

/// Bytes that AutoencoderKLWanDecoder holds at its peak for a clip of any length: the frames its convolutions remember,
/// activations, the convolutions' temporaries on the path that this machine takes, and the frames handed to the sink.
/// Not counted: weights, the caller's latents, the memory of the attention backend, oneDNN and cuDNN.
uint64_t decode_peak_bytes(const AutoencoderKLWanConfig& config, int64_t latent_height, int64_t latent_width,
                           c10::ScalarType dtype, c10::Device device);

/// Bytes of one element of the weights as the decoder holds them for that dtype.
uint64_t decoder_element_size(c10::ScalarType dtype, c10::Device device);

}  // namespace fastvideo::wan
