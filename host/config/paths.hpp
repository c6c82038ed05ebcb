// Paths that people give, without exceptions of the standard library.
#pragma once

#include <filesystem>
#include <vector>

namespace fastvideo::host {

/// The path from the root on. Throws RequestError if it is relative to a working directory that is gone.
std::filesystem::path absolute_path(const std::filesystem::path& path);

/// What a folder holds, sorted; nothing if it cannot be read, and no more than could be.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

}  // namespace fastvideo::host
