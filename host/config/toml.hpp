// TOML files as trees in which every key and value knows its place. toml++ stays inside toml.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/value.hpp"

namespace fastvideo::host {

struct TomlEntry;

/// A value with its place in the file (line and column from 1). Tables keep the order of the file.
struct TomlValue {
  uint32_t type = FV_VALUE_NONE;   ///< FV_VALUE_*
  Value scalar;                    ///< unless it is a list or table
  std::vector<TomlValue> items;    ///< of a list
  std::vector<TomlEntry> entries;  ///< of a table
  uint32_t line = 0;
  uint32_t column = 0;

  /// The value of a key of a table, or nullptr.
  const TomlValue* find(std::string_view key) const;
  /// Without the places.
  Value value() const;
};

/// A key of a table, with the key's place.
struct TomlEntry {
  std::string name;
  TomlValue value;
  uint32_t line = 0;
  uint32_t column = 0;
};

/// "FILE:LINE:COLUMN: ", as messages about a place begin.
std::string place_of(const std::string& file, uint64_t line, uint64_t column);

/// Parses TOML 1.0. Throws RequestError "file:line:column: what" for what is not TOML, for dates, times and texts that
/// contain NUL, which no setting takes, and for tables and lists nested more than 64 deep. `file` is what messages call
/// the text.
TomlValue parse_toml(std::string_view text, const std::string& file);

/// The whole text of a regular file of at most 16 MiB. Throws RequestError if it cannot be read, is longer, or is a
/// folder, a FIFO or a device, which are not waited for.
std::string read_text_file(const std::filesystem::path& file);

}  // namespace fastvideo::host
