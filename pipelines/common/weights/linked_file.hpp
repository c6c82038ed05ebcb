// Files that are links, as the Hugging Face cache makes them.
#pragma once

#include <filesystem>

namespace fastvideo {

/// Whether something of that name is there. Throws Refused for a link that leads nowhere: where it leads, and what to
/// do (in a Hugging Face cache, the command that downloads the file again).
bool file_is_there(const std::filesystem::path& file);

}  // namespace fastvideo
