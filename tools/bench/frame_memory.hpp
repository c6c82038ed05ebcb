// A video that stays in memory, so that it can be compared with another video.
#pragma once

#include <vector>

#include "host/run/frame_sink.hpp"
#include "tools/bench/quality.hpp"

namespace fastvideo::host {

/// The frames of a run.
struct Clip {
  VideoFormat format;
  std::vector<uint8_t> pixels;  ///< [frames, height, width, 3], RGB

  FramesView view() const { return {pixels, format.frame_count, format.height, format.width}; }
};

/// A sink that keeps the frames instead of writing a file.
class FrameMemory final : public FrameSink {
 public:
  /// After finish(): the whole clip, moved out of this object.
  Clip take() { return std::move(clip_); }

  void begin(const VideoFormat& format) override { clip_.format = format; }
  void write(std::span<const uint8_t> frames) override {
    clip_.pixels.insert(clip_.pixels.end(), frames.begin(), frames.end());
  }
  void finish() override {}

 private:
  Clip clip_;
};

}  // namespace fastvideo::host
