// A video that stays in memory, so that it can be compared with another one.
#pragma once

#include <vector>

#include "host/media/video_writer.hpp"
#include "tools/bench/quality.hpp"

namespace fastvideo {

/// The frames of a run.
struct Clip {
  VideoFormat format;
  std::vector<std::uint8_t> pixels;  ///< [frames, height, width, 3], RGB

  FramesView view() const { return {pixels, format.frame_count, format.height, format.width}; }
};

/// Takes the place of a file.
class FrameMemory final : public VideoWriter {
 public:
  FrameMemory() : VideoWriter({}) {}
  /// After finish(): the whole clip, which leaves this object.
  Clip take() { return std::move(clip_); }

 private:
  void open(const VideoFormat& format) override { clip_.format = format; }
  void write_frame(std::span<const std::uint8_t> frame) override {
    clip_.pixels.insert(clip_.pixels.end(), frame.begin(), frame.end());
  }
  void close() override {}

  Clip clip_;
};

}  // namespace fastvideo
