// YUV4MPEG2, uncompressed: a line of text, then each frame as "FRAME\n" and the planes Y, Cb, Cr.
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/media/staged_output.hpp"
#include "host/media/writers.hpp"

namespace fastvideo::host {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

uint8_t round_to_byte(double value) { return static_cast<uint8_t>(std::lround(value)); }

class Y4mWriter final : public VideoWriter {
 public:
  Y4mWriter(std::filesystem::path target, VideoOptions options)
      : VideoWriter(std::move(options)), target_(std::move(target)) {}

 private:
  void open(const VideoFormat& format) override {
    file_.emplace(target_);
    file_->append(bytes_of("YUV4MPEG2 W" + std::to_string(format.width) + " H" + std::to_string(format.height) + " F" +
                           std::to_string(format.fps_numerator) + ":" + std::to_string(format.fps_denominator) +
                           " Ip A1:1 C444 XCOLORRANGE=LIMITED\n"));
  }

  // ITU-R BT.709-6, items 3.2, 3.3 and 3.4, 8 bits: luma 16..235, chroma 16..240. 4:4:4, so any size is possible and no
  // chroma is lost.
  void write_frame(std::span<const uint8_t> frame) override {
    const size_t pixels = frame.size() / 3;
    planes_.resize(frame.size());
    uint8_t* const y_plane = planes_.data();
    uint8_t* const cb_plane = y_plane + pixels;
    uint8_t* const cr_plane = cb_plane + pixels;
    for (size_t i = 0; i < pixels; ++i) {
      const double red = frame[3 * i] / 255.0;
      const double green = frame[3 * i + 1] / 255.0;
      const double blue = frame[3 * i + 2] / 255.0;
      const double luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      y_plane[i] = round_to_byte(16 + 219 * luma);
      cb_plane[i] = round_to_byte(128 + 224 * (blue - luma) / 1.8556);
      cr_plane[i] = round_to_byte(128 + 224 * (red - luma) / 1.5748);
    }
    file_->append(bytes_of("FRAME\n"));
    file_->append(planes_);
  }

  void close() override { file_->publish(); }

  std::filesystem::path target_;
  std::optional<StagedFile> file_;
  std::vector<uint8_t> planes_;
};

}  // namespace

std::unique_ptr<VideoWriter> make_y4m_writer(const std::filesystem::path& target, VideoOptions options) {
  return std::make_unique<Y4mWriter>(target, std::move(options));
}

}  // namespace fastvideo::host
