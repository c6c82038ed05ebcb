// `fastvideo plugins check`: every rule of the ABI that can be checked from outside, on one plugin folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace fastvideo::host::conformance {

/// The result of the checks of a plugin.
struct PluginVerdict {
  std::string text;  ///< a table of all checks, ready to be printed
  size_t checks = 0;
  size_t failed = 0;
  size_t skipped = 0;  ///< not counted in checks
};

/// Runs a program with these arguments and --item N --for-program, for every item N of the plugin in `folder`; each
/// child must end within `deadline`. The program calls check_item with its standard output. A crash or hang is a failed
/// check.
struct CheckProgram {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::chrono::milliseconds deadline;
};

/// Throws RequestError if `folder` is no folder or holds no plugin.toml.
PluginVerdict check_plugin(const std::filesystem::path& folder, const CheckProgram& program);

}  // namespace fastvideo::host::conformance
