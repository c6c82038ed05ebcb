// What is asked of a Wan text-to-video model, in types, and checked against what the model can do.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/common/diffusion/guidance.hpp"

namespace fastvideo::wan {

/// How pixels, latents and tokens relate: strides of the VAE and of the transformer's patches.
struct Geometry {
  int64_t temporal_stride;  ///< frames of one latent frame; the first latent frame is one frame
  int64_t spatial_stride;   ///< pixels of one latent pixel, each side
  int64_t patch_t;
  int64_t patch_h;
  int64_t patch_w;
};

/// What is released as soon as its stage is over, to make room for the next; the rest stays for the next run.
enum class Offload { everything, text_encoder, nothing };

/// A checked request.
struct Request {
  std::string prompt;
  std::vector<std::string> later_prompts;  ///< of the runs that will follow
  std::string negative_prompt;
  int64_t height;
  int64_t width;
  int64_t num_frames;
  int64_t num_inference_steps;
  double guidance_scale;
  std::optional<double> flow_shift;  ///< absent: the scheduler's configuration says
  int64_t fps;
  int64_t max_sequence_length;
  uint64_t seed;
  at::Device device;
  at::ScalarType dtype;
  at::ScalarType vae_dtype;
  Offload offload;
  std::string variant;  ///< of the weights: "fp16", or empty

  Guidance guidance() const { return {guidance_scale}; }
  bool guided() const { return guidance().is_on(); }
  int64_t branches() const { return guidance().branches(); }
};

/// Sizes of a request in latents and tokens.
struct Shape {
  int64_t latent_frames, latent_height, latent_width;
  int64_t grid_t, grid_h, grid_w;
  int64_t tokens() const { return grid_t * grid_h * grid_w; }
};

/// Throws Refused, with the nearest possible values, if the model cannot do it.
Request parse_request(const Options& parameters, const Geometry& geometry);

Shape shape_of(const Request& request, const Geometry& geometry);

}  // namespace fastvideo::wan
