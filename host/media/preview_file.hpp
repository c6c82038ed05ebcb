// A picture of a video while it is made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "host/run/frame_sink.hpp"

namespace fastvideo::host {

/// Passes frames on to a sink, and keeps a PNG file of the last preview: first, middle and last frame beside each
/// other, each pixel four wide and high. Whoever looks at the file sees a whole picture. One thread.
class WithPreviewFile final : public FrameSink {
 public:
  /// `frames` is borrowed. every: at least 1. Throws Refused as check_file_target.
  WithPreviewFile(FrameSink& frames, std::filesystem::path target, int every);

  void begin(const VideoFormat& format) override { frames_.begin(format); }
  void write(std::span<const uint8_t> frames) override { frames_.write(frames); }
  void finish() override { frames_.finish(); }
  int preview_every() const override { return every_; }
  /// A file that cannot be written is a warning, and the last one: the video is worth more.
  void preview(const PreviewFormat& format, std::span<const uint8_t> frames) override;

  /// How many were written.
  int count() const { return count_; }
  bool has_failed() const { return has_failed_; }

 private:
  void write_strip(const PreviewFormat& format, std::span<const uint8_t> frames);

  FrameSink& frames_;
  const std::filesystem::path target_;
  const int every_;
  int count_ = 0;
  bool has_failed_ = false;
};

}  // namespace fastvideo::host
