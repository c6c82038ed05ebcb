// Where the outputs of a pipeline go: checked, into a frame sink.
#pragma once

#include <fastvideo/pipeline.h>

#include <exception>
#include <optional>
#include <vector>

#include "host/run/frame_sink.hpp"

namespace fastvideo::host {

/// fv_pipeline_sink over a frame sink. One thread at a time.
class VideoSink {
 public:
  /// `frames` is borrowed.
  explicit VideoSink(FrameSink& frames);
  VideoSink(const VideoSink&) = delete;
  VideoSink& operator=(const VideoSink&) = delete;

  const fv_pipeline_sink& get() const { return abi_; }

  /// Completes the video. Throws std::runtime_error if the pipeline gave none, or fewer frames than it announced.
  void finish();
  /// Why a call of the pipeline was answered with an error, if one was: our own words, not the pipeline's.
  std::exception_ptr failure() const { return failure_; }
  /// What the pipeline announced.
  const VideoFormat& format() const { return *format_; }

 private:
  void accept(const fv_pipeline_output& output);
  void begin(const fv_pipeline_output& output);
  void write(const fv_pipeline_output& output);
  void preview(const fv_pipeline_output& output);
  std::span<const uint8_t> packed(const fv_tensor& frames);

  FrameSink& frames_;
  std::optional<VideoFormat> format_;
  int64_t written_ = 0;
  std::vector<uint8_t> packed_;  // frames that did not come contiguous
  std::exception_ptr failure_;
  fv_pipeline_sink abi_{};
};

}  // namespace fastvideo::host
