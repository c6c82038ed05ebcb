// Where an output goes, and whether anything can go there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace fastvideo::host {

/// "frame_00007.png"
std::string frame_file_name(int64_t index);

/// Where an output really goes: absolute, without a trailing slash, links followed (so that the link stays and what it
/// points to is made or replaced), those of its folder among them. A link that cannot be followed stays as it is; the
/// checks below refuse it. Throws Refused for a relative path in a working directory that is gone.
std::filesystem::path resolve_target(const std::filesystem::path& path);

/// Throws Refused if the folder that `target` (resolved) shall be in is not there, or is none.
void check_folder_of(const std::filesystem::path& target);

/// Throws Refused if `target` (resolved) cannot become a file, or a folder of frames: its folder is not there; its name
/// is none for this file system; it is a link that cannot be followed; it is something else, or a folder that holds
/// other things than frames; what is there cannot be replaced (a mount point, an immutable file, another user's in a
/// sticky folder), or nothing in its folder can.
void check_file_target(const std::filesystem::path& target);
void check_folder_target(const std::filesystem::path& target);

}  // namespace fastvideo::host
