// Names under which outputs grow beside their target, and what runs that were killed have left under such names.
#pragma once

#include <filesystem>

#include "host/process/file_descriptor.hpp"

namespace fastvideo::host {

/// Something new beside a target. The lock says that its process is alive, wherever that runs: the lock ends with it.
struct Unfinished {
  std::filesystem::path path;  ///< ".fastvideo-<pid>-<n>.partial" in the target's folder
  FileDescriptor locked;       ///< open for writing if it is a file
};

/// Makes a new file, or folder, beside `target`. The first one in a folder also removes what processes of this user
/// that are no more have left there. Throws std::runtime_error with the system's reason. Any thread.
Unfinished make_unfinished_file(const std::filesystem::path& target);
Unfinished make_unfinished_folder(const std::filesystem::path& target);

/// From now on `path` is never taken for a leftover, for it is complete and only could not get its name.
void mark_as_finished(const std::filesystem::path& path) noexcept;

}  // namespace fastvideo::host
