// The settings in force: defaults < TOML < environment < command line, each value with its origin.
//
//   Schema schema = Schema::host();
//   std::vector<Given> given = read_config_files(config_files(installation, explicit_config));
//   append(given, read_environment(schema)); append(given, flags);   // rising order
//   Settings early = resolve(schema, given, Unknown::keep_out);      // where plugins and libraries are, log level
//   add_options(schema, Catalog::discover(...));                     // host/plugins/catalog.hpp
//   Settings settings = resolve(schema, given, Unknown::refuse);
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/schema.hpp"
#include "host/config/source.hpp"
#include "host/config/value.hpp"

namespace fastvideo::host {

/// A value that someone gave, not yet checked.
struct Given {
  std::string path;  ///< dotted: "attention.roles.dit.cross"
  Value value;
  Source source;
  bool is_text = false;  ///< a string that stands for a value of the setting's type: of a variable or a flag
};

/// Puts what was given later, and ranks above it, behind.
void append(std::vector<Given>& given, const std::vector<Given>& later);

/// The values of a TOML file in the order of the file, tables flattened to dotted paths. Throws RequestError with file,
/// line and column for what is not TOML, and if the file cannot be read.
std::vector<Given> read_config_file(const std::filesystem::path& file);

/// A variable's value, or nullptr if it is not set.
using Environment = std::function<const char*(const char* variable)>;
/// The process's own.
const char* process_environment(const char* variable);

/// What the variables of the schema are set to. Empty variables count as unset. One variable may stand for several
/// settings: it sets them all.
std::vector<Given> read_environment(const Schema& schema, const Environment& environment = process_environment);

/// A setting with its origin, and what it outranked (the next lower one first, defaults left out).
struct Setting {
  struct Outranked {
    Value value;
    Source source;
  };
  Value value;
  Source source;
  std::vector<Outranked> outranked;
};

/// A setting of an item, under the name of the option.
struct ItemSetting {
  std::string name;
  Setting setting;
};

/// What becomes of given values that the schema does not know.
enum class Unknown { keep_out, refuse };

/// The settings in force. Immutable once resolved; any thread.
class Settings {
 public:
  /// Paths by name, letter case ignored: public names of items are.
  struct Order {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
  };

  /// The setting at a path, nullptr if it has neither been given nor a default.
  const Setting* find(std::string_view path) const;
  /// That of a path which has a default. std::logic_error if there is none.
  const Setting& at(std::string_view path) const;

  /// The value at the path of a setting of the host. std::logic_error if there is none or it is of another type.
  bool boolean(std::string_view path) const { return at(path).value.boolean(); }
  int64_t integer(std::string_view path) const { return at(path).value.integer(); }
  double number(std::string_view path) const { return at(path).value.number(); }
  const std::string& string(std::string_view path) const { return at(path).value.string(); }
  std::vector<std::string> strings(std::string_view path) const { return at(path).value.strings(); }

  /// The options of one item under `prefix` ("attention.TORCH_SDPA", "request"), completed by its defaults and checked
  /// against its own ranges, in the order of `options`. Options without value are left out. Throws RequestError.
  std::vector<ItemSetting> of_item(std::string_view prefix, const std::vector<OptionSpec>& options) const;

  /// All of them by path; those of items without their defaults.
  const std::map<std::string, Setting, Order>& all() const { return settings_; }

 private:
  friend Settings resolve(const Schema& schema, const std::vector<Given>& given, Unknown unknown);

  std::map<std::string, Setting, Order> settings_;
};

/// Checks what was given, in rising order of rank (files, environment, command line; within one source the last wins),
/// and puts it over the defaults. Throws RequestError: an unknown key with its place and the nearest name, a wrong
/// type, a value out of range with the allowed range.
Settings resolve(const Schema& schema, const std::vector<Given>& given, Unknown unknown);

/// Name and value only, as options are passed to an item.
Value::Table to_table(const std::vector<ItemSetting>& settings);

}  // namespace fastvideo::host
