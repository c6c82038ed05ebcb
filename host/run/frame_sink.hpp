// Where the frames of a run go.
#pragma once

#include <cstdint>
#include <span>

namespace fastvideo::host {

/// Size and speed of a video; all numbers at least 1.
struct VideoFormat {
  int width = 0;
  int height = 0;
  std::int64_t frame_count = 0;
  int fps_numerator = 0;
  int fps_denominator = 1;
};

/// Takes one video. Calls, in the run's thread: begin, write any number of times, finish; after an exception none.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  virtual void begin(const VideoFormat& format) = 0;
  /// One or more whole frames, in order: uint8 [frames, height, width, 3], RGB, contiguous. Borrowed for the call.
  virtual void write(std::span<const std::uint8_t> frames) = 0;
  /// All frames that begin announced have been written.
  virtual void finish() = 0;
};

/// Frames that nobody looks at.
class NoFrames final : public FrameSink {
 public:
  void begin(const VideoFormat&) override {}
  void write(std::span<const std::uint8_t>) override {}
  void finish() override {}
};

}  // namespace fastvideo::host
