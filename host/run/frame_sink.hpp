// Where the frames of a run go.
#pragma once

#include <cstdint>
#include <span>

namespace fastvideo::host {

/// Size and speed of a video; all numbers at least 1.
struct VideoFormat {
  int width = 0;
  int height = 0;
  int64_t frame_count = 0;
  int fps_numerator = 0;
  int fps_denominator = 1;
};

/// Size of a picture of what a video will be; all numbers at least 1.
struct PreviewFormat {
  int width = 0;
  int height = 0;
  int64_t frame_count = 0;
};

/// Takes one video. Calls, in the run's thread: begin, write any number of times, finish; after an exception none.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  virtual void begin(const VideoFormat& format) = 0;
  /// One or more whole frames, in order: uint8 [frames, height, width, 3], RGB, contiguous. Borrowed for the call.
  virtual void write(std::span<const uint8_t> frames) = 0;
  /// All frames that begin announced have been written.
  virtual void finish() = 0;

  /// Steps from one preview to the next; 0: none is wanted.
  virtual int preview_every() const { return 0; }
  /// What the video looks like so far, at a small size: all its frames, as write() gets them. Before begin.
  virtual void preview(const PreviewFormat& /*format*/, std::span<const uint8_t> /*frames*/) {}
};

}  // namespace fastvideo::host
