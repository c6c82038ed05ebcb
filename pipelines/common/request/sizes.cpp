#include "pipelines/common/request/sizes.hpp"

#include <string>

namespace fastvideo {
namespace {

std::string text(int64_t value) { return std::to_string(value); }

// Refuses a side in pixels that is no multiple of a patch of latents.
int64_t side(const Options& parameters, const char* name, int64_t multiple) {
  const int64_t asked = parameters.integer(name);
  if (asked >= multiple && asked % multiple == 0) return asked;
  const int64_t below = asked / multiple * multiple;
  std::string message = std::string(name) + " " + text(asked) + " is not a multiple of " + text(multiple) +
                        ", which the VAE's stride times the patch size asks for; the nearest possible: ";
  message += below >= multiple ? text(below) + " or " + text(below + multiple) : text(multiple);
  throw Refused(message);
}

// The first frame has a latent of its own, and patches over time divide the latents.
int64_t frames(const Options& parameters, int64_t stride, int64_t patch) {
  const int64_t asked = parameters.integer("num_frames");
  const int64_t least = stride * (patch - 1) + 1, period = stride * patch;
  if (asked >= least && (asked - least) % period == 0) return asked;
  const int64_t below = asked < least ? least : (asked - least) / period * period + least;
  throw Refused(
      "num_frames " + text(asked) + " is not " + text(least) + " plus a multiple of " + text(period) +
      (patch == 1 ? ", the VAE's temporal stride"
                  : ", the VAE's temporal stride times the transformer's patch over time of " + text(patch)) +
      "; the nearest possible: " + (asked < least ? text(least) : text(below) + " or " + text(below + period)));
}

}  // namespace

VideoSize parse_size(const Options& parameters, const LatentGeometry& geometry) {
  return {.height = side(parameters, "height", geometry.spatial_stride * geometry.patch_h),
          .width = side(parameters, "width", geometry.spatial_stride * geometry.patch_w),
          .num_frames = frames(parameters, geometry.temporal_stride, geometry.patch_t)};
}

LatentShape latent_shape(const VideoSize& size, const LatentGeometry& geometry) {
  LatentShape shape{};
  shape.latent_frames = (size.num_frames - 1) / geometry.temporal_stride + 1;
  shape.latent_height = size.height / geometry.spatial_stride;
  shape.latent_width = size.width / geometry.spatial_stride;
  shape.grid_t = shape.latent_frames / geometry.patch_t;
  shape.grid_h = shape.latent_height / geometry.patch_h;
  shape.grid_w = shape.latent_width / geometry.patch_w;
  return shape;
}

}  // namespace fastvideo
