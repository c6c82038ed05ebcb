#include "host/config/settings.hpp"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "host/config/paths.hpp"
#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

void flatten(const TomlValue& value, const std::string& path, const std::string& file, std::vector<Given>& given) {
  for (const TomlEntry& entry : value.entries) {
    const std::string key = path.empty() ? entry.name : path + "." + entry.name;
    if (entry.value.type == FV_VALUE_TABLE && !entry.value.entries.empty())
      flatten(entry.value, key, file, given);
    else
      given.push_back({key, entry.value.value(), {Source::Kind::file, file, entry.line, entry.column}});
  }
}

// "FASTVIDEO_LOGGING_LEVEL" or "fastvideo.toml:3:1: log.level": how messages about a value begin.
std::string where(const Given& given) {
  return given.source.describe() + (given.source.kind == Source::Kind::file ? ": " + shortened(given.path) : "");
}

// Names in a file are relative to its folder, names on the command line to the working directory. A variable may
// outlive the directory that it was set in, so its names are absolute.
Value absolute_paths(const Value& value, const Given& given) {
  const auto absolute = [&](const std::string& name) -> Value {
    const std::filesystem::path path(name);
    if (name.empty()) throw RequestError(where(given) + ": an empty path");
    if (path.is_absolute()) return path.lexically_normal().string();
    if (given.source.kind == Source::Kind::environment)
      throw RequestError(where(given) + ": '" + shortened(name) + "' is not an absolute path");
    const std::filesystem::path base = given.source.kind == Source::Kind::file
                                           ? std::filesystem::path(given.source.name).parent_path()
                                           : std::filesystem::path();
    return absolute_path(base / path).lexically_normal().string();
  };
  if (value.type() != FV_VALUE_LIST) return absolute(value.string());
  Value::List list;
  for (const Value& item : value.list()) list.push_back(absolute(item.string()));
  return list;
}

// Several items may declare a setting with ranges of their own: it is enough that one of them takes the value here, for
// of_item() checks it again for the item that is used.
Value check(const std::vector<const SettingSpec*>& specs, const Given& given) {
  std::string refusal;
  for (const SettingSpec* spec : specs) {
    try {
      const OptionSpec& option = spec->option;
      const Value value =
          given.is_text ? option.parse(given.value.string(), where(given)) : option.check(given.value, where(given));
      return option.is_path ? absolute_paths(value, given) : value;
    } catch (const RequestError& e) {
      if (refusal.empty()) refusal = e.what();
    }
  }
  throw RequestError(refusal, specs.front()->path);
}

// A table without keys: known if a setting or a name of an item lies under it.
bool is_known_table(const Schema& schema, const std::string& path) {
  return std::any_of(schema.all().begin(), schema.all().end(), [&](const SettingSpec& spec) {
    return spec.path.size() > path.size() && same_name(spec.path.substr(0, path.size() + 1), path + ".");
  });
}

// One file says it twice, as `dit.self` and as `"dit.self"`: to TOML these are two keys.
void require_said_once(const Setting& setting, const Given& given) {
  const Source &one = setting.source, &two = given.source;
  if (one.kind != Source::Kind::file || two.kind != Source::Kind::file || one.name != two.name) return;
  if (one.line == two.line && one.column == two.column) return;
  throw RequestError(where(given) + ": is given on line " + std::to_string(one.line) + " already; leave one out");
}

bool repeats_flag(const Setting& setting, const Given& given) {
  return given.source.kind == Source::Kind::command_line && setting.source.kind == Source::Kind::command_line &&
         setting.value.type() == FV_VALUE_LIST && setting.source.name == given.source.name;
}

}  // namespace

void append(std::vector<Given>& given, const std::vector<Given>& later) {
  given.insert(given.end(), later.begin(), later.end());
}

std::vector<Given> read_config_file(const std::filesystem::path& file) {
  std::vector<Given> given;
  flatten(parse_toml(read_text_file(file), file.string()), "", file.string(), given);
  return given;
}

const char* process_environment(const char* variable) { return std::getenv(variable); }

std::vector<Given> read_environment(const Schema& schema, const Environment& environment) {
  std::vector<Given> given;
  for (const SettingSpec& spec : schema.all()) {
    const std::string& variable = spec.option.variable;
    const char* text = variable.empty() ? nullptr : environment(variable.c_str());
    if (text == nullptr || *text == '\0') continue;
    // Another item may declare the same setting.
    const auto repeats = [&](const Given& one) { return one.path == spec.path && one.source.name == variable; };
    if (std::none_of(given.begin(), given.end(), repeats))
      given.push_back({spec.path, text, Source::environment(variable), true});
  }
  return given;
}

bool Settings::Order::operator()(std::string_view a, std::string_view b) const {
  const int order = strncasecmp(a.data(), b.data(), std::min(a.size(), b.size()));
  return order != 0 ? order < 0 : a.size() < b.size();
}

const Setting* Settings::find(std::string_view path) const {
  const auto found = settings_.find(path);
  return found == settings_.end() ? nullptr : &found->second;
}

const Setting& Settings::at(std::string_view path) const {
  const Setting* setting = find(path);
  if (setting == nullptr) throw std::logic_error("no setting '" + std::string(path) + "'");
  return *setting;
}

std::vector<ItemSetting> Settings::of_item(std::string_view prefix, const std::vector<OptionSpec>& options) const {
  std::vector<ItemSetting> out;
  for (const OptionSpec& option : options) {
    const std::string path = std::string(prefix) + "." + option.name;
    if (const Setting* setting = find(path)) {
      Setting checked = *setting;
      try {
        checked.value = option.check(setting->value, where({path, setting->value, setting->source}));
      } catch (const RequestError& e) {
        throw RequestError(e.what(), path);
      }
      out.push_back({option.name, std::move(checked)});
    } else if (!option.default_value.empty()) {
      out.push_back({option.name, {option.check(option.default_value, path), Source::built_in(), {}}});
    }
  }
  return out;
}

Settings resolve(const Schema& schema, const std::vector<Given>& given, Unknown unknown) {
  Settings settings;
  for (const SettingSpec& spec : schema.all())
    if (spec.owner.empty() && !spec.option.default_value.empty())
      settings.settings_[spec.path] = {spec.option.default_value, Source::built_in(), {}};

  for (const Given& one : given) {
    const auto specs = schema.find(one.path);
    if (specs.empty()) {
      const bool empty_table = one.value.type() == FV_VALUE_TABLE && one.value.table().empty();
      if (unknown == Unknown::keep_out || (empty_table && is_known_table(schema, one.path))) continue;
      throw RequestError(
          one.source.describe() + ": unknown key '" + shortened(one.path) + "'" + schema.suggest(one.path), one.path);
    }
    Value value = check(specs, one);
    const auto [place, fresh] = settings.settings_.try_emplace(specs.front()->path);
    Setting& setting = place->second;
    if (!fresh && repeats_flag(setting, one)) {
      Value::List joined = setting.value.list();
      for (const Value& item : value.list()) joined.push_back(item);
      setting.value = std::move(joined);
      continue;
    }
    if (!fresh) require_said_once(setting, one);
    if (!fresh && setting.source.kind != Source::Kind::built_in)
      setting.outranked.insert(setting.outranked.begin(), {std::move(setting.value), std::move(setting.source)});
    setting.value = std::move(value);
    setting.source = one.source;
  }
  return settings;
}

Value::Table to_table(const std::vector<ItemSetting>& settings) {
  Value::Table table;
  for (const ItemSetting& one : settings) table.push_back({one.name, one.setting.value});
  return table;
}

}  // namespace fastvideo::host
