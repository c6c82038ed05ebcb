// For tests: a small request, and what becomes of it.
#pragma once

#include <fastvideo/pipeline.h>

#include <fastvideo/pipeline.hpp>
#include <map>
#include <string>
#include <vector>

namespace fastvideo::wan {

/// The parameters of a small video of nine frames, as the host completes them.
class Parameters {
 public:
  explicit Parameters(double guidance) {
    for (const auto& [name, value] : texts_) add(name, FV_VALUE_STRING).as.string = value.c_str();
    for (const auto& [name, value] : integers_) add(name, FV_VALUE_INT).as.integer = value;
    add(guidance_name_, FV_VALUE_FLOAT).as.number = guidance;
  }
  Options options() const { return {entries_.data(), static_cast<uint32_t>(entries_.size())}; }

 private:
  fv_value& add(const std::string& name, uint32_t type) {
    entries_.push_back({});
    entries_.back().name = name.c_str();
    entries_.back().value.type = type;
    return entries_.back().value;
  }

  const std::map<std::string, std::string> texts_ = {
      {"prompt", "a red circle"}, {"negative_prompt", "blue"}, {"device", "cpu"}, {"dtype", "float32"},
      {"vae_dtype", "auto"},      {"offload", "auto"},         {"variant", ""},
  };
  const std::map<std::string, int64_t> integers_ = {{"height", 32},
                                                    {"width", 48},
                                                    {"num_frames", 9},
                                                    {"fps", 16},
                                                    {"max_sequence_length", 64},
                                                    {"seed", 1},
                                                    {"num_inference_steps", 3}};
  const std::string guidance_name_ = "guidance_scale";
  std::vector<fv_entry> entries_;
};

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
