// Videos as files: mp4, webm and gif through the ffmpeg program, y4m and folders of PNG frames with nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/run/frame_sink.hpp"

namespace fastvideo::host {

/// What the name of an output asks for.
enum class OutputFormat {
  mp4,        ///< .mp4: H.264 (libx264, CRF 17), 4:2:0, BT.709 limited range; 4:4:4 if a side is odd
  webm,       ///< .webm: VP9 (CRF 24), otherwise like mp4
  gif,        ///< .gif: a palette of 256 colours for each frame; delays are whole 1/100 s
  y4m,        ///< .y4m: uncompressed 4:4:4, BT.709 limited range (the format has no place to say BT.709)
  png_folder  ///< NAME/ or a name without extension: frame_00000.png, frame_00001.png, ...; lossless
};

/// The format that `path` asks for, by its extension (letter case is ignored). A trailing slash, no extension, or a
/// folder that exists with another extension mean a folder of frames. Throws Refused for an extension that stands for
/// no format here, naming the possible ones.
OutputFormat output_format(const std::filesystem::path& path);

/// Throws Refused if a video in that format cannot show so many frames a second.
void require_frame_rate(OutputFormat format, int fps_numerator, int fps_denominator);

/// How to write.
struct VideoOptions {
  /// Names and texts that describe the video. mp4 and webm keep "title" and "comment" (and other names that ffmpeg's
  /// muxer knows), each PNG frame keeps all; gif and y4m have no place for them. A name is 1 to 79 of A-Z a-z 0-9 _ -.
  std::vector<std::pair<std::string, std::string>> metadata;
  /// Asked while waiting for ffmpeg and before each frame; NULL or alive as long as the writer.
  const CancelToken* cancel = nullptr;
};

/// Writes one video. Everything goes to a temporary name beside the target (".fastvideo-<pid>-<n>.partial") and takes
/// the target's name, replacing what was there, when finish() returns: before that, and after any failure, the target
/// is as it was. Destroying the writer early removes what it wrote. A folder is replaced as a whole. One thread at a
/// time. Calls: begin, write any number of times, finish; after an exception none.
///
/// begin throws Refused as require_frame_rate. All three throw CancelledError once the token is set, std::runtime_error
/// when writing fails (no space, ffmpeg's own words), std::logic_error when called in a wrong order or with frames that
/// do not fit what begin was told.
class VideoWriter : public FrameSink {
 public:
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  void begin(const VideoFormat& format) final;
  void write(std::span<const uint8_t> frames) final;
  /// Completes the file and gives it its name. All frames that begin announced must have been written.
  void finish() final;

 protected:
  explicit VideoWriter(VideoOptions options) : options_(std::move(options)) {}
  const VideoOptions& options() const { return options_; }

 private:
  enum class State { fresh, open, done, failed };

  virtual void open(const VideoFormat& format) = 0;
  virtual void write_frame(std::span<const uint8_t> frame) = 0;
  virtual void close() = 0;

  void expect(State state, const char* call) const;
  template <class Body>
  void step(Body&& body, State next);

  VideoOptions options_;
  VideoFormat format_;
  int64_t written_ = 0;
  State state_ = State::fresh;
};

/// A writer for `path` in the format that its name asks for. Touches nothing until begin. Throws as output_format, and
/// std::invalid_argument for metadata names that no format could keep.
std::unique_ptr<VideoWriter> make_video_writer(const std::filesystem::path& path, VideoOptions options = {});

/// Throws Refused, saying what to do, if a video cannot be written to `path`: unknown extension, no such parent folder,
/// no permission, a folder that holds other files than frames, no ffmpeg, or an ffmpeg without the encoder. Meant to be
/// asked before anything expensive. Creates and removes a file of no bytes in the parent folder.
void check_output(const std::filesystem::path& path);

/// The part of check_output that is about ffmpeg: throws Refused if there is none, or none with the encoder that the
/// format of `path` needs; does nothing for formats that need none.
void check_ffmpeg_for(const std::filesystem::path& path);

}  // namespace fastvideo::host
