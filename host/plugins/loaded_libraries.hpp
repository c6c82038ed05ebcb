// The shared libraries of this process. Boost.DLL stays inside loaded_libraries.cpp.
#pragma once

#include <fastvideo/abi.h>

#include <filesystem>
#include <optional>
#include <string>

namespace boost::dll {
class shared_library;
}

namespace fastvideo::host {

/// A shared library that is open, and stays so until the process ends.
class OpenLibrary {
 public:
  /// Opens a file (an absolute path): every symbol resolved now, its names visible to itself and its own needs alone.
  /// Throws std::runtime_error with the words of the dynamic linker.
  explicit OpenLibrary(const std::filesystem::path& file);
  /// That of a plugin, which exports it.
  fv_plugin_entry entry() const;

 private:
  const boost::dll::shared_library* library_;
};

/// The file behind a library of this process that is called `file_name`, whoever opened it.
std::optional<std::filesystem::path> loaded_library(const std::string& file_name);

}  // namespace fastvideo::host
