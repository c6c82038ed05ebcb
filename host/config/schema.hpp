// Which settings there are: their types, ranges, defaults, help, flags and variables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/config/source.hpp"
#include "host/config/value.hpp"

namespace fastvideo::host {

/// What an option may be. Options of manifests have the first four types.
/// seed is the host's alone: a whole number from 0 to 2^64-1, as a value an int, or a string above 2^63-1.
enum class OptionType { boolean, integer, number, string, strings, seed };
/// "bool", "int", "float", "string", "list of strings", "int"
std::string_view type_name(OptionType type);

/// The 64 bits of a seed's value, and the value of 64 bits.
uint64_t seed_of(const Value& value);
Value seed_value(uint64_t seed);

/// One option: of the host, of a backend or strategy, or a parameter of a pipeline.
struct OptionSpec {
  std::string name = {};  ///< lower_snake, the last part of its path
  OptionType type = OptionType::string;
  Value default_value = {};               ///< empty: not given unless the user does
  std::vector<std::string> choices = {};  ///< strings only: what they may be, letter case ignored; empty = anything
  std::optional<double> minimum = {};     ///< numbers only, included
  std::optional<double> maximum = {};     ///< numbers only, included
  std::string help = {};                  ///< one line
  std::string flag = {};                  ///< "--threads", or empty
  std::string variable = {};              ///< environment variable that stands for it, or empty
  char separator = ',';                   ///< between the strings of a list in a variable
  bool is_path = false;                   ///< file names: those in a file are relative to its folder

  /// "int from 1 to 1000", "one of auto, math": what it may be, for messages and help.
  std::string allowed() const;
  /// `value` in the option's type (an int for a float, a choice in its own spelling), or a RequestError that begins
  /// with `where` and names the allowed range.
  Value check(const Value& value, std::string_view where) const;
  /// The value that `text` stands for in a variable or on the command line, checked. bool: true false on off yes no 1
  /// 0.
  Value parse(std::string_view text, std::string_view where) const;
};

/// An option at its place.
struct SettingSpec {
  std::string path;   ///< "attention.TORCH_SDPA.kernel"
  std::string owner;  ///< empty for the host's own; else "NAME/implementation (plugin.toml)", for messages
  OptionSpec option;

  std::string section() const { return path.substr(0, path.size() - option.name.size() - 1); }  ///< its TOML table
};

/// All settings: the host's, extended by those of items. Several items may declare one path (each implementation of a
/// name; two pipelines with a height).
class Schema {
 public:
  /// The host's own settings, without those of any item.
  static Schema host();

  /// Adds an option of an item. Throws RequestError, naming both owners, if the path is declared with another type, or
  /// if its flag already stands for another path.
  void add(SettingSpec spec);

  const std::vector<SettingSpec>& all() const { return specs_; }
  /// All declarations of a path; in settings of items the public name is compared without letter case.
  std::vector<const SettingSpec*> find(std::string_view path) const;
  /// The declarations behind a flag ("--height"); all have one path.
  std::vector<const SettingSpec*> find_flag(std::string_view flag) const;
  /// "; did you mean 'attention.backend'?", or nothing
  std::string suggest(std::string_view path) const;

 private:
  using Index = std::unordered_map<std::string, std::vector<size_t>>;

  std::vector<SettingSpec> specs_;
  Index by_path_;  // in small letters
  Index by_flag_;
};

/// Whether a setting is about the files that `fastvideo generate` writes, by its path: no model or request has it.
bool is_of_output(std::string_view path);

}  // namespace fastvideo::host
