// Shared libraries as files: where they are looked for, and what of them is missing, found out without opening any.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// [libraries] path.
std::vector<std::filesystem::path> library_path(const Settings& settings);

/// The file of that name in the first of the folders that has one; empty if none has.
std::filesystem::path find_library(const std::string& name, const std::vector<std::filesystem::path>& folders);

/// "needs libone.so, which is in no folder of [libraries] path (/a, /b); ...", with what to do.
std::string needs_library(const std::string& name, const std::vector<std::filesystem::path>& library_path);

/// Why the file of the item's library is not there, as a message that says what to do; empty if something is there.
std::string missing_library(const CatalogItem& item);

/// The names of libraries that `soname`, looked for in `library_path`, needs (or that it is itself) and that can be
/// found neither in its own search path, nor in `library_path`, nor by the system. Only what it names itself, not what
/// those need in turn.
std::vector<std::string> missing_libraries(const std::string& soname,
                                           const std::vector<std::filesystem::path>& library_path);

}  // namespace fastvideo::host
