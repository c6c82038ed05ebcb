#include "host/media/video_writer.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fastvideo/core.hpp>
#include <stdexcept>
#include <string_view>

#include "host/media/staged_output.hpp"
#include "host/media/writers.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

void check_metadata(const VideoOptions& options) {
  for (const auto& [name, text] : options.metadata) {
    const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return c < 0x80 && (std::isalnum(c) != 0 || c == '_' || c == '-');
    });
    if (!plain || name.empty() || name.size() > 79) {
      throw std::invalid_argument("'" + name + "' is no metadata name: 1 to 79 letters, digits, '_' and '-'");
    }
    if (text.find('\0') != std::string::npos) {
      throw std::invalid_argument("the metadata text of '" + name + "' holds a NUL");
    }
  }
}

}  // namespace

OutputFormat output_format(const fs::path& path) {
  if (path.empty()) throw Refused("the output path is empty: name a file such as video.mp4");
  std::error_code ignored;
  std::string extension = path.extension().string();
  if (!path.has_filename() || extension.empty() || extension == ".") return OutputFormat::png_folder;
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".mp4") return OutputFormat::mp4;
  if (extension == ".webm") return OutputFormat::webm;
  if (extension == ".gif") return OutputFormat::gif;
  if (extension == ".y4m") return OutputFormat::y4m;
  if (fs::is_directory(path, ignored)) return OutputFormat::png_folder;
  throw Refused("no video format for the extension '" + extension + "' of " + path.string() +
                ": use .mp4, .webm, .gif or .y4m, or end the path with '/' for a folder of PNG frames");
}

void VideoWriter::expect(State state, const char* call) const {
  if (state_ != state) throw std::logic_error(std::string("VideoWriter::") + call + " called in a wrong order");
}

// Runs a step; if it throws, no other may follow.
template <class Body>
void VideoWriter::step(Body&& body, State next) {
  state_ = State::failed;
  if (options_.cancel != nullptr) options_.cancel->throw_if_requested();
  body();
  state_ = next;
}

void require_frame_rate(OutputFormat format, int fps_numerator, int fps_denominator) {
  constexpr int kMostOfGif = 100;  // it counts time in hundredths of a second
  if (format != OutputFormat::gif || fps_numerator <= int64_t{kMostOfGif} * fps_denominator) return;
  char rate[32];
  std::snprintf(rate, sizeof rate, "%g", static_cast<double>(fps_numerator) / fps_denominator);
  throw Refused("GIF files show at most " + std::to_string(kMostOfGif) + " frames a second, and " + rate +
                " are asked for: ask for fewer, or write .mp4, .webm or .y4m");
}

void VideoWriter::begin(const VideoFormat& format) {
  expect(State::fresh, "begin");
  if (format.width < 1 || format.height < 1 || format.frame_count < 1 || format.fps_numerator < 1 ||
      format.fps_denominator < 1) {
    throw std::logic_error("no video of " + std::to_string(format.width) + "x" + std::to_string(format.height) +
                           " pixels and " + std::to_string(format.frame_count) + " frames at " +
                           std::to_string(format.fps_numerator) + "/" + std::to_string(format.fps_denominator) +
                           " frames a second");
  }
  format_ = format;
  step([&] { open(format); }, State::open);
}

void VideoWriter::write(std::span<const uint8_t> frames) {
  expect(State::open, "write");
  const size_t frame = 3UL * static_cast<size_t>(format_.width) * static_cast<size_t>(format_.height);
  const size_t room = static_cast<size_t>(format_.frame_count - written_);
  if (frames.size() % frame != 0 || frames.size() / frame > room) {
    throw std::logic_error(std::to_string(frames.size()) + " bytes of frames; expected a multiple of " +
                           std::to_string(frame) + ", for at most " + std::to_string(room) + " more frames");
  }
  for (; !frames.empty(); frames = frames.subspan(frame)) {
    step([&] { write_frame(frames.first(frame)); }, State::open);
    ++written_;
  }
}

void VideoWriter::finish() {
  expect(State::open, "finish");
  if (written_ != format_.frame_count) {
    throw std::logic_error("only " + std::to_string(written_) + " of " + std::to_string(format_.frame_count) +
                           " frames were written");
  }
  step([&] { close(); }, State::done);
}

std::unique_ptr<VideoWriter> make_video_writer(const fs::path& path, VideoOptions options) {
  check_metadata(options);
  const OutputFormat format = output_format(path);
  const fs::path target = resolve_target(path);
  switch (format) {
    case OutputFormat::y4m:
      return make_y4m_writer(target, std::move(options));
    case OutputFormat::png_folder:
      return make_png_writer(target, std::move(options));
    case OutputFormat::mp4:
    case OutputFormat::webm:
    case OutputFormat::gif:
      break;
  }
  return make_ffmpeg_writer(format, target, std::move(options));
}

namespace {

// Names that mean something else elsewhere, and would be folders of frames here.
void require_name_of_output(const fs::path& path) {
  const std::string name = path.filename().string();
  if (path == "-")
    throw Refused("- would be a folder of that name: nothing is written to standard output; give a file, FILE.y4m");
  for (const char* ending : {".y4m", ".mp4", ".webm", ".gif", ".png"})
    if (name == ending) throw Refused(path.string() + " has no name before its ending: give one, video" + name);
  std::error_code none;
  const fs::file_type type = fs::status(path, none).type();
  if (type == fs::file_type::character || type == fs::file_type::block || type == fs::file_type::fifo ||
      type == fs::file_type::socket)
    throw Refused(path.string() +
                  " is a device or a pipe: a video is made beside its place and renamed, which needs a " +
                  "file; give one, FILE.y4m");
}

}  // namespace

void check_output(const fs::path& path) {
  require_name_of_output(path);
  const OutputFormat format = output_format(path);
  const fs::path target = resolve_target(path);
  try {
    // Trying is the only test that permissions, read-only mounts and quotas cannot fool.
    if (format == OutputFormat::png_folder) {
      const StagedFolder probe(target);
    } else {
      const StagedFile probe(target);
    }
  } catch (const Refused&) {
    throw;
  } catch (const std::runtime_error& error) {
    const std::string_view advice = "choose another path", said = error.what();
    throw Refused(std::string(said) + (said.ends_with(advice) ? "" : "; " + std::string(advice)));
  }
  check_ffmpeg_for(path);
}

void check_ffmpeg_for(const fs::path& path) {
  const OutputFormat format = output_format(path);
  if (format != OutputFormat::png_folder && format != OutputFormat::y4m) check_ffmpeg(format);
}

}  // namespace fastvideo::host
