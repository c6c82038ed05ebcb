// For tests: a small request, and what becomes of it.
#pragma once

#include <fastvideo/pipeline.h>

#include <cstdint>
#include <fastvideo/pipeline.hpp>

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

/// Takes the outputs of runs, and counts their frames.
class CountedFrames {
 public:
  CountedFrames() {
    sink_.struct_size = sizeof sink_;
    sink_.context = this;
    sink_.accept = [](void* context, const fv_pipeline_output* output, fv_text*) -> fv_status {
      if (output->kind == FV_OUTPUT_FRAMES) static_cast<CountedFrames*>(context)->count_ += output->tensor->shape[0];
      return FV_OK;
    };
  }
  CountedFrames(const CountedFrames&) = delete;
  CountedFrames& operator=(const CountedFrames&) = delete;

  PipelineSink sink() const { return PipelineSink(sink_); }
  int64_t count() const { return count_; }

 private:
  fv_pipeline_sink sink_{};
  int64_t count_ = 0;
};

}  // namespace fastvideo::wan
