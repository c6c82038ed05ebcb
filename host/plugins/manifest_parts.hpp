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

/// Whether text is one or more of the characters that `allowed` accepts.
template <class Allowed>
bool consists_of(std::string_view text, Allowed&& allowed) {
  for (const char c : text)
    if (!allowed(c)) return false;
  return !text.empty();
}
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/// A name without folder that no tool takes for an option: what may stand for a file of the plugin's folder.
bool is_file_name(std::string_view name);

}  // namespace fastvideo::host
