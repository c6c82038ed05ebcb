#include "host/media/preview_file.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "host/log/log.hpp"
#include "host/media/png_image.hpp"
#include "host/media/staged_output.hpp"
#include "host/media/target.hpp"

namespace fastvideo::host {
namespace {

constexpr size_t kEnlarged = 4;

}  // namespace

WithPreviewFile::WithPreviewFile(FrameSink& frames, std::filesystem::path target, int every)
    : frames_(frames), target_(std::move(target)), every_(every) {
  check_file_target(target_);
}

void WithPreviewFile::preview(const PreviewFormat& format, std::span<const uint8_t> frames) {
  if (has_failed_) return;
  try {
    write_strip(format, frames);
  } catch (const std::exception& e) {
    has_failed_ = true;
    log_warning("run", std::string("there are no further previews: ") + e.what());
  }
}

void WithPreviewFile::write_strip(const PreviewFormat& format, std::span<const uint8_t> frames) {
  std::vector<int64_t> shown = {0, format.frame_count / 2, format.frame_count - 1};
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  const auto width = static_cast<size_t>(format.width), height = static_cast<size_t>(format.height);
  const size_t row = shown.size() * width * kEnlarged * 3;
  std::vector<uint8_t> strip;
  strip.reserve(row * height * kEnlarged);
  for (size_t y = 0; y < height * kEnlarged; ++y)
    for (const int64_t frame : shown) {
      const uint8_t* line = &frames[(static_cast<size_t>(frame) * height + y / kEnlarged) * width * 3];
      for (size_t x = 0; x < width * kEnlarged; ++x)
        strip.insert(strip.end(), line + x / kEnlarged * 3, line + x / kEnlarged * 3 + 3);
    }
  StagedFile file(target_);
  file.append(encode_png(static_cast<int>(row / 3), static_cast<int>(height * kEnlarged), strip));
  file.publish();
  ++count_;
}

}  // namespace fastvideo::host
