// The writers behind make_video_writer, one for each way of writing.
#pragma once

#include <filesystem>
#include <memory>

#include "host/media/video_writer.hpp"

namespace fastvideo::host {

/// `target` is resolved (resolve_target).
std::unique_ptr<VideoWriter> make_y4m_writer(const std::filesystem::path& target, VideoOptions options);
std::unique_ptr<VideoWriter> make_png_writer(const std::filesystem::path& target, VideoOptions options);
/// mp4, webm or gif.
std::unique_ptr<VideoWriter> make_ffmpeg_writer(OutputFormat format, const std::filesystem::path& target,
                                                VideoOptions options);

/// Throws Refused if there is no ffmpeg on PATH or it lacks the encoder of `format` (mp4, webm or gif).
void check_ffmpeg(OutputFormat format);

}  // namespace fastvideo::host
