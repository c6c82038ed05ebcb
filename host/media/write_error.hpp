// Why something cannot be written, and the way out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace fastvideo::host {

/// What the system says of a failed write in the folder of `target`, with the number and the remedy where there is one:
/// a limit of the process, a full disk, a quota, a read-only file system. `error` is an errno.
std::string write_error(const std::filesystem::path& target, int error);

/// The same where a program wrote and cannot tell: empty unless a limit of the process or a full disk is at fault.
/// `written` is how long its file has become, in bytes.
std::string likely_write_error(const std::filesystem::path& target, uintmax_t written);

}  // namespace fastvideo::host
