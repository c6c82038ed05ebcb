// The last stage of a run: latents to frames, with a check of the frames.
#pragma once

#include <ATen/core/Tensor.h>

#include <fastvideo/pipeline.hpp>

#include "pipelines/common/attention/host_attention.hpp"
#include "pipelines/wan/components.hpp"

namespace fastvideo::wan {

/// Decodes latents [1, z_dim, T, h, w] with the decoder of `components`, held in `dtype`, and hands the frames to the
/// sink. Frames that hold NaN, infinity or one value everywhere before they are cut to 0..255 would be a black or blank
/// video: throws std::runtime_error, naming the latent frame and the cause, which is found by decoding up to that frame
/// again with a check of every attention call. Throws Cancelled.
void decode(const at::Tensor& latents, at::ScalarType dtype, Components& components, HostAttention& attention,
            const PipelineSink& sink, const Progress& progress);

}  // namespace fastvideo::wan
