// Files that are links, as the Hugging Face cache makes them.
#pragma once

#include <filesystem>
#include <string>

namespace fastvideo {

/// Whether a file or folder of that name exists. Throws Refused for a link that leads nowhere or back to itself: where
/// it leads, and what to do (in a Hugging Face cache, the command that downloads the file again).
bool file_is_there(const std::filesystem::path& file);

/// "download it ...": the command that completes a model folder, or a file of one.
std::string download_advice(const std::filesystem::path& file_or_folder);

}  // namespace fastvideo
