// Frames to write, folders to write them in, and ffmpeg to read them back.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "host/media/video_writer.hpp"
#include "host/process/child_process.hpp"

namespace fastvideo::host::media_test {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

/// A folder of a test's own, removed with all it holds.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (fs::temp_directory_path() / "fastvideo_media_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  /// The names of all that it holds, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path_)) all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  fs::path path_;
};

/// Sets PATH while it lives.
class PathScope {
 public:
  explicit PathScope(const std::string& path) : former_(std::getenv("PATH")) { ::setenv("PATH", path.c_str(), 1); }
  ~PathScope() { ::setenv("PATH", former_.c_str(), 1); }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

 private:
  std::string former_;
};

inline std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// Smooth colours, of which blue moves: what a codec keeps well.
inline Bytes smooth_frames(const VideoFormat& format) {
  Bytes frames;
  for (int64_t t = 0; t < format.frame_count; ++t) {
    for (int y = 0; y < format.height; ++y) {
      for (int x = 0; x < format.width; ++x) {
        frames.push_back(static_cast<uint8_t>(255 * x / std::max(format.width - 1, 1)));
        frames.push_back(static_cast<uint8_t>(255 * y / std::max(format.height - 1, 1)));
        frames.push_back(static_cast<uint8_t>(128 + 120 * std::sin(0.05 * (x + 2 * y) + 0.3 * static_cast<double>(t))));
      }
    }
  }
  return frames;
}

/// All bytes differ from their neighbours: what only lossless formats keep.
inline Bytes noisy_frames(const VideoFormat& format) {
  Bytes frames(size_t{3} * format.width * format.height * format.frame_count);
  uint32_t state = 12345;
  for (uint8_t& value : frames) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<uint8_t>(state >> 24);
  }
  return frames;
}

inline void write_video(const fs::path& path, const VideoFormat& format, const Bytes& frames,
                        const VideoOptions& options = {}) {
  const auto writer = make_video_writer(path, options);
  writer->begin(format);
  const auto frame = static_cast<ptrdiff_t>(frames.size() / static_cast<size_t>(format.frame_count));
  // The first frame alone, the rest at once: both are what a streaming decoder does.
  writer->write({frames.data(), static_cast<size_t>(frame)});
  writer->write({frames.data() + frame, frames.size() - static_cast<size_t>(frame)});
  writer->finish();
}

/// Runs a program of the test environment; a failure of it fails the test.
inline std::string run_tool(const std::string& name, const std::vector<std::string>& arguments) {
  const auto program = find_program(name);
  if (!program) throw std::runtime_error(name + " is needed for this test");
  const CommandResult result = run_command(*program, arguments, std::chrono::seconds(60));
  if (!result.status.success()) throw std::runtime_error(name + " failed: " + result.error_output);
  return result.output;
}

/// The frames of a video as ffmpeg decodes them, in the given pixel format.
inline Bytes decode(const fs::path& path, const std::string& pixel_format) {
  const TestFolder folder;
  run_tool("ffmpeg",
           {"-v", "error", "-i", path.string(), "-fps_mode", "passthrough", "-sws_flags",
            "accurate_rnd+full_chroma_int", "-f", "rawvideo", "-pix_fmt", pixel_format, (folder / "frames").string()});
  const std::string text = read_text(folder / "frames");
  return {text.begin(), text.end()};
}

/// One field of the video stream, as ffprobe prints it: "r_frame_rate".
inline std::string probe(const fs::path& path, const std::string& entries) {
  std::string text = run_tool("ffprobe", {"-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries",
                                          entries, "-of", "default=nw=1:nk=1", path.string()});
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace fastvideo::host::media_test
