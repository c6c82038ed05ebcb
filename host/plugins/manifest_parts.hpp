// The parts of an [[item]] of a manifest.
#pragma once

#include "host/plugins/manifest.hpp"
#include "host/plugins/table_reader.hpp"

namespace fastvideo::host {

/// What all parts of one manifest share.
struct ManifestContext {
  const std::string& file;  ///< what messages call it
  const std::filesystem::path& folder;
  std::vector<std::string>& warnings;

  TableReader read(const TomlValue& table, std::string what) const { return {table, std::move(what), file, warnings}; }
};

ItemNeeds parse_needs(const TomlValue& table, const ManifestContext& context);
ItemLimits parse_limits(const TomlValue& table, const ManifestContext& context);
OptionSpec parse_option(const TomlValue& table, const ManifestContext& context);
DataFile parse_data(const TomlValue& table, const ManifestContext& context);
InstalledFile parse_installed(const TomlValue& table, const ManifestContext& context);

/// A name without folder that no tool takes for an option: what may stand for a file of the plugin's folder.
bool is_file_name(std::string_view name);

}  // namespace fastvideo::host
