// Result files that appear whole or not at all.
#pragma once

#include <string>

namespace fastvideo::host {

/// Throws RequestError, `flag` in front, if no file can be written at `path`, or if its name does not end in
/// `extension` (".json"). Call it before the work.
void check_result_file(const std::string& flag, const std::string& path, const std::string& extension);

/// Writes the text under a temporary name in the same folder, then renames the file. Throws std::runtime_error.
void write_result_file(const std::string& path, const std::string& text);

}  // namespace fastvideo::host
