// Where the videos of several prompts go.
#pragma once

#include <cstddef>
#include <string>

namespace fastvideo::host {

/// The output of prompt `index` of `count`: "video.mp4" as it is for one prompt, else "video_01.mp4" to "video_12.mp4",
/// and "frames/" as "frames_01/".
std::string numbered_output(const std::string& output, size_t index, size_t count);

}  // namespace fastvideo::host
