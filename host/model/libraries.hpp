// Whether a shared library could be opened, without opening it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fastvideo::host {

/// The names of libraries that `soname`, looked for in `library_path`, needs (or that it is itself) and that can be
/// found neither in its own search path, nor in `library_path`, nor by the system. Only what it names itself, not what
/// those need in turn.
std::vector<std::string> missing_libraries(const std::string& soname,
                                           const std::vector<std::filesystem::path>& library_path);

}  // namespace fastvideo::host
