// Looking into a shared object without executing it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fastvideo::host {

/// What the dynamic section of a shared object says.
struct SharedObject {
  std::vector<std::string> needed;                 ///< DT_NEEDED: sonames of libraries it is linked with
  std::vector<std::string> exports;                ///< names of defined symbols that others can see
  std::vector<std::filesystem::path> search_path;  ///< DT_RPATH and DT_RUNPATH, $ORIGIN put in
};

/// Reads an ELF shared object of x86-64. Throws RequestError: not there, not ELF, for another machine, not a shared
/// object, truncated (the loader would die of SIGBUS), damaged.
SharedObject read_shared_object(const std::filesystem::path& file);

}  // namespace fastvideo::host
