// For tests: a small request.
#pragma once

#include "pipelines/common/testing/parameters.hpp"

namespace fastvideo::wan {

/// The parameters of a small video of nine frames.
inline testing::Parameters small_video(double guidance) {
  testing::Parameters parameters;
  parameters.set("prompt", "a red circle").set("negative_prompt", "blue").set("device", "cpu");
  parameters.set("dtype", "float32").set("vae_dtype", "auto").set("offload", "auto").set("variant", "");
  parameters.set("height", 32).set("width", 48).set("num_frames", 9).set("fps", 16).set("seed", 1);
  parameters.set("max_sequence_length", 64).set("num_inference_steps", 3).set("guidance_scale", guidance);
  return parameters;
}

}  // namespace fastvideo::wan
