// What an installation holds, and which configuration files apply.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// The folder that holds bin/fastvideo and lib/fastvideo. The build directory is laid out in the same way.
struct Installation {
  std::filesystem::path prefix;

  std::filesystem::path plugins() const { return prefix / "lib" / "fastvideo" / "plugins"; }
  /// Written by the build: [libraries] path.
  std::filesystem::path config_file() const { return prefix / "lib" / "fastvideo" / "install.toml"; }

  /// That of the file in lib/ or bin/ which holds this code: libfastvideo.so in somebody's program. Throws
  /// std::runtime_error if the file is no longer where it was loaded from.
  static Installation of_this_library();
};

/// The configuration files that apply, in rising order of rank: the installation's, then the one that `explicit_file`
/// (--config) or FASTVIDEO_CONFIG names, or else the user's ($XDG_CONFIG_HOME/fastvideo/fastvideo.toml, by default in
/// ~/.config). Files that were named must exist (RequestError); the others are left out if they do not.
std::vector<std::filesystem::path> config_files(const Installation& installation,
                                                const std::optional<std::filesystem::path>& explicit_file,
                                                const Environment& environment = process_environment);

/// The values of all of them, one after the other.
std::vector<Given> read_config_files(const std::vector<std::filesystem::path>& files);

}  // namespace fastvideo::host
