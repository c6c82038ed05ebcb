// For runs whose video is of no interest.
#pragma once

#include "host/run/frame_sink.hpp"

namespace fastvideo::host {

/// Frames that nobody looks at.
class NoFrames final : public FrameSink {
 public:
  void begin(const VideoFormat&) override {}
  void write(std::span<const uint8_t>) override {}
  void finish() override {}
};

}  // namespace fastvideo::host
