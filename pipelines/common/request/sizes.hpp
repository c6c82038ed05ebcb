// From the size of a video in pixels to latents and tokens.
#pragma once

#include <cstdint>
#include <fastvideo/core.hpp>

namespace fastvideo {

/// How pixels, latents and tokens relate: strides of the VAE and of the transformer's patches.
struct LatentGeometry {
  int64_t temporal_stride;  ///< frames of one latent frame; the first latent frame is one frame
  int64_t spatial_stride;   ///< pixels of one latent pixel, each side
  int64_t patch_t;
  int64_t patch_h;
  int64_t patch_w;
};

/// The size of a video in pixels and frames.
struct VideoSize {
  int64_t height;
  int64_t width;
  int64_t num_frames;
};

/// The size of a video in latents and tokens.
struct LatentShape {
  int64_t latent_frames, latent_height, latent_width;
  int64_t grid_t, grid_h, grid_w;
  int64_t tokens() const { return grid_t * grid_h * grid_w; }
};

/// Parameters height, width and num_frames. Throws Refused, with the nearest possible numbers, for sides that latents
/// and patches do not divide, and for frames that are no whole number of latent frames and patches.
VideoSize parse_size(const Options& parameters, const LatentGeometry& geometry);

LatentShape latent_shape(const VideoSize& size, const LatentGeometry& geometry);

}  // namespace fastvideo
