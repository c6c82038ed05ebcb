#include "host/plugins/manifest.hpp"

#include <fastvideo/attention.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "host/error/letter_case.hpp"
#include "host/plugins/limits.hpp"
#include "host/plugins/manifest_parts.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

const std::string kHostAbi = std::to_string(FV_ABI_MAJOR) + "." + std::to_string(FV_ABI_MINOR);

bool is_id(std::string_view id) {
  return id.size() <= 128 && id.front() != '.' && id.back() != '.' && id.find("..") == std::string_view::npos &&
         consists_of(id, [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; });
}

// Names stand in paths of settings and before the slash of NAME/implementation.
std::string required_name(TableReader& reader, std::string_view key) {
  std::string name = reader.required_string(key);
  if (!consists_of(name, is_of_name))
    throw reader.refuse(key, "'" + name + "' is no name: letters, digits, _ and - only");
  for (const char* reserved : {"auto", "none", "roles"})
    if (same_name(name, reserved))
      throw reader.refuse(key, "the name '" + name + "' means something else in the configuration; take another");
  return name;
}

void parse_attention(const TomlValue* table, const ManifestContext& context, Item& item) {
  item.claims = {"dit.*"};
  item.numerics = FV_NUMERICS_APPROXIMATE;  // the worst, where the manifest does not promise better
  if (table == nullptr) return;
  TableReader reader = context.read(*table, "[item.attention]");
  item.claims = reader.strings("claims").value_or(item.claims);
  const std::string numerics = reader.string("numerics");
  for (const uint32_t one : {FV_NUMERICS_EXACT, FV_NUMERICS_REORDERED})
    if (numerics_name(one) == numerics) item.numerics = one;
  if (!numerics.empty() && numerics_name(item.numerics) != numerics)
    throw reader.refuse("numerics", "'" + numerics + "' is not one of exact, reordered, approximate");
  reader.warn_about_the_rest();
}

void parse_pipeline(const TomlValue* table, const ManifestContext& context, Item& item) {
  if (table == nullptr) return;
  TableReader reader = context.read(*table, "[item.pipeline]");
  item.model_classes = reader.strings("model_classes").value_or(item.model_classes);
  reader.warn_about_the_rest();
}

// Where options stand in an item, by name.
using OptionPlaces = std::unordered_map<std::string, size_t>;

// Marks the option that names a file. key: of the table that says so; what: how messages call the file.
void take_option(TableReader& reader, std::string_view key, const std::string& what, const std::string& name,
                 const OptionPlaces& places, Item& item) {
  if (const auto place = places.find(name); place != places.end()) {
    OptionSpec& option = item.options[place->second];
    if (option.type != OptionType::string || !option.choices.empty())
      throw reader.refuse(key, "option '" + option.name + "' names a file, so it is a string without choices");
    option.is_path = true;
    return;
  }
  throw reader.refuse(key,
                      what + " is named by the option '" + name + "', which " + item.full_name() + " does not have");
}

void add_data(TableReader& reader, DataFile data, const OptionPlaces& places, Item& item) {
  if (!data.calibrated.empty() && item.calibrated_data() != nullptr)
    throw reader.refuse("data", "a calibration of " + item.full_name() + " writes one data file, not two");
  if (!data.option.empty()) take_option(reader, "data", "data '" + data.name + "'", data.option, places, item);
  item.data.push_back(std::move(data));
}

void parse_options(TableReader& reader, const ManifestContext& context, Item& item) {
  std::unordered_set<std::string> names;
  OptionPlaces places;
  const auto add = [&](std::string_view key, const std::string& name) {
    if (!names.insert(name).second)
      throw reader.refuse(key, "two options or data files of " + item.full_name() + " are called '" + name + "'");
  };
  for (const TomlValue& table : reader.tables("option")) {
    item.options.push_back(parse_option(table, context));
    const std::string& name = item.options.back().name;
    if (item.kind == "pipeline" && (name == "prompt" || name == "seed" || name == "device" || name == "later_prompts"))
      throw reader.refuse("option", "'" + name + "' reaches every pipeline; it is not to be declared");
    add("option", name);
    places.emplace(name, item.options.size() - 1);
  }
  for (const TomlValue& table : reader.tables("data")) {
    DataFile data = parse_data(table, context);
    add("data", data.name);
    add_data(reader, std::move(data), places, item);
  }
  for (const TomlValue& table : reader.tables("installed")) {
    item.installed.push_back(parse_installed(table, context));
    take_option(reader, "installed", item.installed.back().what, item.installed.back().option, places, item);
  }
}

Item parse_item(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[[item]]");
  Item item;
  item.line = table.line;
  item.kind = reader.required_string("kind");
  item.name = required_name(reader, "name");
  item.implementation = required_name(reader, "implementation");
  item.summary = reader.string("summary");
  if (!item.known_kind()) return item;

  const std::string library = reader.required_string("library");
  if (!is_file_name(library))
    throw reader.refuse("library", "'" + library + "' is no name of a file in the plugin's folder");
  item.library = context.folder / library;
  if (const TomlValue* needs = reader.find("needs", FV_VALUE_TABLE)) item.needs = parse_needs(*needs, context);
  if (const TomlValue* limits = reader.find("limits", FV_VALUE_TABLE)) item.limits = parse_limits(*limits, context);
  if (item.kind == "attention") parse_attention(reader.find("attention", FV_VALUE_TABLE), context, item);
  if (item.kind == "pipeline") parse_pipeline(reader.find("pipeline", FV_VALUE_TABLE), context, item);
  parse_options(reader, context, item);
  reader.warn_about_the_rest();
  return item;
}

}  // namespace

bool HeadSizes::contains(int64_t head_size) const {
  if (!list.empty()) return std::find(list.begin(), list.end(), head_size) != list.end();
  return head_size >= min && head_size <= max && head_size % multiple == 0;
}

std::string HeadSizes::describe() const {
  if (!list.empty()) return joined(list, ", ", [](int64_t size) { return std::to_string(size); });
  std::string out = "from " + std::to_string(min);
  if (max != INT64_MAX) out += " to " + std::to_string(max);
  return multiple == 1 ? out : out + " in multiples of " + std::to_string(multiple);
}

bool Item::known_kind() const { return kind == "attention" || kind == "cache" || kind == "pipeline"; }

const OptionSpec* Item::option(std::string_view name) const {
  const auto found = std::ranges::find(options, name, &OptionSpec::name);
  return found != options.end() ? &*found : nullptr;
}

const DataFile* Item::calibrated_data() const {
  const auto found = std::ranges::find_if(data, [](const DataFile& one) { return !one.calibrated.empty(); });
  return found != data.end() ? &*found : nullptr;
}

std::string Item::settings_prefix() const { return kind == "pipeline" ? "request" : kind + "." + name; }

Manifest parse_manifest(std::string_view text, const fs::path& file) {
  const std::string file_name = file.string();
  const TomlValue root = parse_toml(text, file_name);
  Manifest manifest;
  manifest.file = file;
  manifest.folder = file.parent_path();
  const ManifestContext context{file_name, manifest.folder, manifest.warnings};
  TableReader reader = context.read(root, "the manifest");

  const TomlValue* format = reader.find("manifest", FV_VALUE_INT);
  if (format == nullptr) throw reader.refuse("manifest", "a manifest begins with manifest = 1");
  if (format->scalar.integer() != 1)
    throw reader.refuse("manifest", "the manifest has format " + std::to_string(format->scalar.integer()) +
                                        ", this host reads 1; take a newer host, or an older version of the plugin");
  manifest.id = reader.required_string("id");
  if (!is_id(manifest.id))
    throw reader.refuse("id", "'" + manifest.id + "' is no id: a-z, 0-9, _, - and dots between, at most 128 bytes");
  manifest.version = reader.required_string("version");
  manifest.abi = reader.required_string("abi");
  if (manifest.abi != kHostAbi)
    throw reader.refuse("abi", "built for plugin ABI " + manifest.abi + ", this host takes exactly " + kHostAbi +
                                   "; get its version for ABI " + std::string(kHostAbi) + " from its author");
  std::unordered_set<std::string> names;  // kind and full name in small letters
  for (const TomlValue& table : reader.tables("item")) {
    Item item = parse_item(table, context);
    if (!names.insert(item.kind + '\n' + small_letters(item.full_name())).second)
      throw reader.refuse("item", "two items are called " + item.full_name());
    manifest.items.push_back(std::move(item));
  }
  if (manifest.items.empty()) throw reader.refuse("item", "a manifest lists at least one [[item]]");
  reader.warn_about_the_rest();
  return manifest;
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path file = folder / "plugin.toml";
  return parse_manifest(read_text_file(file), file);
}

bool matches_role(std::string_view pattern, std::string_view role) {
  if (pattern.ends_with('*')) return role.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == role;
}

}  // namespace fastvideo::host
