// A cheap picture of the video in a denoising loop, from latents alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace fastvideo {

/// The colour of a latent as an affine map of its channels: RGB = offset + latent slope, -1 to 1.
struct LatentColours {
  at::Tensor offset;  ///< float32 [3]
  at::Tensor slope;   ///< float32 [C, 3]
};

/// The colour of one latent, float32 [3], -1 to 1, from its channels, float32 [C]: the decoder's colour for a picture
/// that has this latent everywhere.
using ColourOf = std::function<at::Tensor(const at::Tensor& latent)>;

/// The affine map nearest to a decoder around the mean latent, by least squares over a two-level design whose columns
/// are orthogonal (Plackett and Burman, Biometrika 33, 1946), folded over; latents are normalised: mean 0, deviation 1.
/// Calls colour_of for two latents per row of the design: 2 C times where C is a power of two.
LatentColours linearised(const ColourOf& colour_of, int64_t channels);

/// Latents [1, C, T, h, w] as frames, uint8 RGB [T, h, w, 3] on the CPU: one pixel per latent.
at::Tensor picture_of(const LatentColours& colours, const at::Tensor& latents);

/// Sees the estimate of the sample, x_0 = x - sigma v, after the `done` steps that wants(done) asks for.
struct EstimateObserver {
  std::function<bool(int32_t done)> wants;
  std::function<void(const at::Tensor& estimate)> see;
};

}  // namespace fastvideo
