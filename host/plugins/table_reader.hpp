// Reading a table of a manifest: every key asked for once, wrong types refused with their place, the rest warned about.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {

/// One table of a TOML file. Borrows the table, the file's name and the list of warnings.
class TableReader {
 public:
  /// `what` is how messages call the table: "[[item]]".
  TableReader(const TomlValue& table, std::string what, const std::string& file, std::vector<std::string>& warnings);

  /// The value of a key, or nullptr. With `type` (FV_VALUE_*): throws RequestError if it is of another one.
  const TomlValue* find(std::string_view key);
  const TomlValue* find(std::string_view key, uint32_t type);

  /// A string that must be there and not be empty.
  std::string required_string(std::string_view key);
  /// A string, or "" if it is not there.
  std::string string(std::string_view key);
  /// A list of strings, if it is there.
  std::optional<std::vector<std::string>> strings(std::string_view key);
  /// The tables of [[key]]; none if it is not there.
  const std::vector<TomlValue>& tables(std::string_view key);

  /// "file:line:column: what", at a key of this table (at the table itself if the key is not there).
  RequestError refuse(std::string_view key, const std::string& what) const;
  void warn(std::string_view key, const std::string& what);
  /// Warns about every key that nobody asked for. Call it last.
  void warn_about_the_rest();

 private:
  std::string place(std::string_view key) const;

  const TomlValue& table_;
  std::string what_;
  const std::string& file_;
  std::vector<std::string>& warnings_;
  std::vector<std::string> asked_;
};

}  // namespace fastvideo::host
