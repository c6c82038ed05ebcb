// mp4, webm and gif: frames go through a pipe into the ffmpeg program.
#include <algorithm>
#include <chrono>
#include <fastvideo/core.hpp>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/media/staged_output.hpp"
#include "host/media/write_error.hpp"
#include "host/media/writers.hpp"
#include "host/process/child_process.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// What tells the formats apart for ffmpeg.
struct Codec {
  const char* extension;
  const char* encoder;
  const char* muxer;
};

Codec codec_of(OutputFormat format) {
  switch (format) {
    case OutputFormat::mp4:
      return {".mp4", "libx264", "mp4"};
    case OutputFormat::webm:
      return {".webm", "libvpx-vp9", "webm"};
    case OutputFormat::gif:
      return {".gif", "gif", "gif"};
    case OutputFormat::y4m:
    case OutputFormat::png_folder:
      break;
  }
  throw std::logic_error("a format that is written without ffmpeg");
}

fs::path find_ffmpeg(OutputFormat format) {
  const std::optional<fs::path> program = find_program("ffmpeg");
  if (!program) {
    throw Refused(std::string("there is no ffmpeg program on PATH, and ") + codec_of(format).extension +
                  " files are written through it: install it (apt-get install ffmpeg), or write .y4m or a folder of "
                  "PNG frames (a path that ends in '/'), which need nothing");
  }
  return *program;
}

// The last lines of what a program said; ffmpeg's cause of death is at the end.
std::string tail(const std::string& text) {
  constexpr size_t kMost = 1500;
  std::string end = text.size() > kMost ? "..." + text.substr(text.size() - kMost) : text;
  while (!end.empty() && (end.back() == '\n' || end.back() == ' ')) end.pop_back();
  return end.empty() ? "it said nothing" : end;
}

// -xerror: without it a webm on a full disk is cut short and called a success.
Arguments input_arguments(const VideoFormat& format) {
  return {"-hide_banner",
          "-loglevel",
          "error",
          "-xerror",
          "-y",
          "-f",
          "rawvideo",
          "-pix_fmt",
          "rgb24",
          "-video_size",
          std::to_string(format.width) + "x" + std::to_string(format.height),
          "-framerate",
          std::to_string(format.fps_numerator) + "/" + std::to_string(format.fps_denominator),
          "-i",
          "pipe:0",
          "-an"};
}

// RGB to BT.709 limited range, said in the file too. Without this, ffmpeg converts with BT.601 and says nothing.
Arguments colour_arguments(const char* pixel_format) {
  return {"-vf",
          "scale=out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int,format=" +
              std::string(pixel_format),
          "-colorspace",
          "bt709",
          "-color_primaries",
          "bt709",
          "-color_trc",
          "bt709",
          "-color_range",
          "tv"};
}

Arguments codec_arguments(OutputFormat output, const VideoFormat& format) {
  if (output == OutputFormat::gif) {
    // A palette for each frame, so that no frame has to wait for the last one in memory.
    return {"-vf", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=sierra2_4a", "-loop",
            "0"};
  }
  // 4:2:0 is what every player takes. H.264 has it for even sides only, and ffmpeg's scaler spoils the last column of
  // an odd one.
  const bool even = format.width % 2 == 0 && format.height % 2 == 0;
  Arguments arguments = colour_arguments(even ? "yuv420p" : "yuv444p");
  const Arguments codec =
      output == OutputFormat::mp4
          ? Arguments{"-preset", "medium", "-crf", "17", "-movflags", "+faststart"}
          : Arguments{"-crf", "24", "-b:v", "0", "-deadline", "good", "-cpu-used", "2", "-row-mt", "1"};
  arguments.insert(arguments.end(), codec.begin(), codec.end());
  return arguments;
}

class FfmpegWriter final : public VideoWriter {
 public:
  FfmpegWriter(OutputFormat output, fs::path target, VideoOptions options)
      : VideoWriter(std::move(options)), output_(output), target_(std::move(target)) {}

 private:
  void open(const VideoFormat& format) override {
    require_frame_rate(output_, format.fps_numerator, format.fps_denominator);
    const fs::path program = find_ffmpeg(output_);
    file_.emplace(target_);
    Arguments arguments = input_arguments(format);
    const Arguments codec = codec_arguments(output_, format);
    arguments.insert(arguments.end(), codec.begin(), codec.end());
    for (const auto& [name, text] : options().metadata) {
      arguments.emplace_back("-metadata");
      arguments.emplace_back(name).append("=").append(text);
    }
    const Codec names = codec_of(output_);
    arguments.insert(arguments.end(), {"-c:v", names.encoder, "-f", names.muxer, "file:" + file_->path().string()});
    ffmpeg_.emplace(program, arguments, ChildLimits());
  }

  void write_frame(std::span<const uint8_t> frame) override {
    watched([&] {
      if (!ffmpeg_->write(frame, options().cancel)) fail(ffmpeg_->wait(options().cancel)->describe());
    });
  }

  void close() override {
    watched([&] {
      const ExitStatus status = *ffmpeg_->wait(options().cancel);
      if (!status.success()) fail(status.describe());
    });
    if (const std::string fault = fault_of(file_->path()); !fault.empty()) fail("it ended well, but " + fault);
    file_->publish();
  }

  // What is wrong with what it has left at `path`; empty if it is a file with something in it.
  static std::string fault_of(const fs::path& path) {
    std::error_code failure;
    const fs::file_status status = fs::symlink_status(path, failure);
    if (!fs::exists(status)) return "left no file";
    if (!fs::is_regular_file(status)) return "left something else than a file";
    const uintmax_t bytes = fs::file_size(path, failure);
    if (failure) return "its file cannot be read: " + failure.message();
    return bytes == 0 ? "left an empty file" : "";
  }

  template <class Body>
  void watched(Body&& body) {
    try {
      body();
    } catch (const ChildHangs& hangs) {
      ffmpeg_->kill();
      fail(std::string(hangs.what()) + " and was stopped");
    }
  }

  [[noreturn]] void fail(const std::string& how) const {
    std::error_code none;
    const uintmax_t written = fs::file_size(file_->path(), none);
    const std::string likely = likely_write_error(target_, none ? 0 : written);
    throw std::runtime_error("ffmpeg could not write " + target_.string() + " (" + how +
                             "): " + tail(ffmpeg_->error_output()) + (likely.empty() ? "" : "; " + likely));
  }

  OutputFormat output_;
  fs::path target_;
  std::optional<StagedFile> file_;
  std::optional<ChildProcess> ffmpeg_;  // after the file: it is stopped before the file is removed
};

}  // namespace

std::unique_ptr<VideoWriter> make_ffmpeg_writer(OutputFormat format, const fs::path& target, VideoOptions options) {
  return std::make_unique<FfmpegWriter>(format, target, std::move(options));
}

void check_ffmpeg(OutputFormat format) {
  const fs::path program = find_ffmpeg(format);
  // Asked once in a process: a run may have thousands of outputs.
  static std::mutex mutex;
  static std::set<std::pair<fs::path, OutputFormat>> found;
  const std::lock_guard lock(mutex);
  if (found.count({program, format}) > 0) return;
  const std::string instead = ", or write .y4m or a folder of PNG frames (a path that ends in '/')";
  CommandResult result;
  try {
    result = run_command(program, {"-hide_banner", "-encoders"}, std::chrono::seconds(30));
  } catch (const std::runtime_error& error) {
    throw Refused(std::string(error.what()) + ": repair it" + instead);
  }
  if (!result.status.success()) {
    throw Refused(program.string() + " does not work (" + result.status.describe() + ", " + tail(result.error_output) +
                  "): repair it" + instead);
  }
  // Each line: flags, the encoder's name, a description.
  const Codec names = codec_of(format);
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string flags;
    std::string encoder;
    if (words >> flags >> encoder && encoder == names.encoder) {
      found.insert({program, format});
      return;
    }
  }
  throw Refused(program.string() + " was built without the encoder " + names.encoder + ", which " + names.extension +
                " files need: install another ffmpeg" + instead);
}

}  // namespace fastvideo::host
