// A folder of PNG frames, 8 bits RGB, with the metadata as text chunks.
#include <zlib.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/media/png_image.hpp"
#include "host/media/staged_output.hpp"
#include "host/media/writers.hpp"

namespace fastvideo::host {
namespace {

using Bytes = std::vector<uint8_t>;

void append_big_endian(Bytes& bytes, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(number >> shift));
}

// An iTXt chunk (PNG specification, third edition, 11.3.3.4): UTF-8, not compressed, no language.
void append_text_chunk(Bytes& bytes, const std::string& name, const std::string& text) {
  std::string body = "iTXt" + name;
  body.append(5, '\0');  // end of the name; compression flag and method; ends of language and translated name
  body += text;
  append_big_endian(bytes, static_cast<uint32_t>(body.size() - 4));
  bytes.insert(bytes.end(), body.begin(), body.end());
  const uLong checksum = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  append_big_endian(bytes, static_cast<uint32_t>(checksum));
}

class PngWriter final : public VideoWriter {
 public:
  PngWriter(std::filesystem::path target, VideoOptions options)
      : VideoWriter(std::move(options)), target_(std::move(target)) {
    for (const auto& [name, text] : this->options().metadata) append_text_chunk(text_chunks_, name, text);
  }

 private:
  void open(const VideoFormat& format) override {
    format_ = format;
    folder_.emplace(target_);
  }

  void write_frame(std::span<const uint8_t> frame) override {
    Bytes file = encode_png(format_.width, format_.height, frame);
    constexpr ptrdiff_t kAfterHeader = 8 + 25;  // the signature and the IHDR chunk
    file.insert(file.begin() + kAfterHeader, text_chunks_.begin(), text_chunks_.end());
    folder_->add(frame_file_name(next_++), file);
  }

  void close() override { folder_->publish(); }

  std::filesystem::path target_;
  std::optional<StagedFolder> folder_;
  VideoFormat format_;
  Bytes text_chunks_;
  int64_t next_ = 0;
};

}  // namespace

std::unique_ptr<VideoWriter> make_png_writer(const std::filesystem::path& target, VideoOptions options) {
  return std::make_unique<PngWriter>(target, std::move(options));
}

}  // namespace fastvideo::host
