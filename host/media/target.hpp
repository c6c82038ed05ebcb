// Where an output goes, and whether anything can go there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace fastvideo {

/// "frame_00007.png"
std::string frame_file_name(std::int64_t index);

/// Where an output really goes: absolute, without a trailing slash, links to existing things followed (so that the link
/// stays and what it points to is replaced), those of its folder among them.
std::filesystem::path resolve_target(const std::filesystem::path& path);

/// Throws Refused if `target` (resolved) cannot become a file, or a folder of frames: its name is none for this file
/// system; it is something else, or a folder that holds other things than frames; what is there cannot be replaced (a
/// mount point, an immutable file, another user's in a sticky folder), or nothing in its folder can.
void check_file_target(const std::filesystem::path& target);
void check_folder_target(const std::filesystem::path& target);

}  // namespace fastvideo
