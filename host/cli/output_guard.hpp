// What a run writes must be nothing that it reads, and no two of its outputs may be one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "host/config/settings.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// Knows the inputs of a run and learns its outputs. Files are compared by what they are, so that neither a symbolic
/// nor a hard link hides one. One thread.
class OutputGuard {
 public:
  /// Inputs are: the files that settings name (outputs excepted) and those that settings come from, the model folder,
  /// the installed plugins, and this program. The settings are borrowed.
  OutputGuard(const Settings& settings, const Catalog& catalog);

  /// One more file, unless it is empty. `what` names it in messages: "--matrix".
  void reads(const std::string& what, const std::filesystem::path& file);

  /// An output, a file or a folder, unless it is empty; `role` is what it is for others ("the file of --json" if it is
  /// left out). Throws RequestError if it is an input or another output, or lies in one.
  void writes(const std::string& what, const std::filesystem::path& path, const std::string& role = {});

 private:
  using Identity = std::pair<uint64_t, uint64_t>;  // device, inode

  void read_settings(const Settings& settings);
  void read_catalog(const Catalog& catalog);
  void read_model();

  const Settings& settings_;
  std::map<Identity, std::string> inputs_;                // and what they are
  bool has_model_ = false;                                // among the inputs: looked at when an output exists already
  std::map<std::filesystem::path, std::string> outputs_;  // resolved, and their roles
  std::map<std::filesystem::path, std::string> around_;   // the folders that hold outputs, all the way up
};

}  // namespace fastvideo::host
