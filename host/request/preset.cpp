#include "host/request/preset.hpp"

#include <algorithm>
#include <fastvideo/input_file.hpp>
#include <nlohmann/json.hpp>

#include "host/config/json_value.hpp"
#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"

namespace fastvideo::host {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kMostConfigBytes = 16 << 20;

// Reads one [[preset]]; what it refuses begins with the file and line.
class PresetReader {
 public:
  PresetReader(const Item& pipeline, std::string file) : pipeline_(pipeline), file_(std::move(file)) {}

  Preset read(const TomlValue& table) const {
    Preset preset;
    require(table, FV_VALUE_TABLE, "preset", "a table");
    for (const TomlEntry& entry : table.entries) {
      if (entry.name == "name") {
        preset.name = typed(entry, FV_VALUE_STRING, "a string").scalar.string();
      } else if (entry.name == "summary") {
        preset.summary = typed(entry, FV_VALUE_STRING, "a string").scalar.string();
      } else if (entry.name == "default") {
        preset.is_default = typed(entry, FV_VALUE_BOOL, "true or false").scalar.boolean();
      } else if (entry.name == "match") {
        for (const TomlEntry& file : typed(entry, FV_VALUE_TABLE, "a table").entries)
          preset.match.push_back({file.name, typed(file, FV_VALUE_TABLE, "a table").value()});
      } else if (entry.name == "request") {
        for (const TomlEntry& one : typed(entry, FV_VALUE_TABLE, "a table").entries)
          preset.parameters.push_back(parameter(one));
      } else {
        throw refuse(entry, "unknown key '" + entry.name + "'; there are name, summary, default, match and request");
      }
    }
    if (preset.name.empty() || same_name(preset.name, "auto") || same_name(preset.name, "none"))
      throw refuse(table, "a preset needs a name other than auto and none");
    return preset;
  }

  // `at`: a key or a value.
  template <class Placed>
  RequestError refuse(const Placed& at, const std::string& what) const {
    return RequestError(place_of(file_, at.line, at.column) + what);
  }

  void require(const TomlValue& value, uint32_t type, const std::string& key, const char* what) const {
    if (value.type != type) throw refuse(value, "'" + key + "' is not " + what);
  }

 private:
  const TomlValue& typed(const TomlEntry& entry, uint32_t type, const char* what) const {
    require(entry.value, type, entry.name, what);
    return entry.value;
  }

  Entry parameter(const TomlEntry& entry) const {
    const OptionSpec* option = pipeline_.option(entry.name);
    if (option == nullptr) {
      std::vector<std::string> names;
      for (const OptionSpec& one : pipeline_.options) names.push_back(one.name);
      throw refuse(entry,
                   pipeline_.full_name() + " has no parameter '" + entry.name + "'" + did_you_mean(entry.name, names));
    }
    return {entry.name, option->check(entry.value.value(), place_of(file_, entry.line, entry.column) + entry.name)};
  }

  const Item& pipeline_;
  std::string file_;
};

// Whether a file of the model has all these values. One that cannot be read has none: the pipeline will say why.
bool has_values(const std::filesystem::path& file, const Value::Table& values) {
  OrderedJson json;
  try {
    json = parse_json<OrderedJson>(read_input_file(file.string(), kMostConfigBytes, "a configuration"), file.string());
  } catch (const Refused&) {
    return false;
  }
  if (!json.is_object()) return false;
  return std::all_of(values.begin(), values.end(), [&](const Entry& entry) {
    const auto found = json.find(entry.name);
    return found != json.end() && *found == json_of(entry.value);
  });
}

bool applies(const Preset& preset, const ModelFolder& folder) {
  return std::ranges::all_of(
      preset.match, [&](const Entry& file) { return has_values(folder.path / file.name, file.value.table()); });
}

std::string listed(const std::vector<Preset>& presets) {
  std::string text;
  for (const Preset& preset : presets) text += "\n  " + preset.name + "  " + preset.summary;
  return text;
}

}  // namespace

std::vector<Preset> read_presets(const Item& pipeline) {
  std::vector<Preset> presets;
  for (const DataFile& data : pipeline.data) {
    if (data.name != "presets") continue;
    const std::string file = data.file.string();
    const TomlValue root = parse_toml(read_text_file(data.file), file);
    const PresetReader reader(pipeline, file);
    for (const TomlEntry& entry : root.entries) {
      if (entry.name != "preset") throw reader.refuse(entry, "unknown key '" + entry.name + "'; a file of [[preset]]");
      reader.require(entry.value, FV_VALUE_LIST, entry.name, "a list of tables");
      for (const TomlValue& table : entry.value.items) presets.push_back(reader.read(table));
    }
  }
  return presets;
}

std::optional<Preset> chosen_preset(const Settings& settings, const Item& pipeline, const ModelFolder& folder) {
  const Setting& asked = settings.at("request.preset");
  const std::string& name = asked.value.string();
  if (same_name(name, "none")) return std::nullopt;
  std::vector<Preset> fitting;
  for (Preset& preset : read_presets(pipeline))
    if (applies(preset, folder)) fitting.push_back(std::move(preset));

  if (!same_name(name, "auto")) {
    for (const Preset& preset : fitting)
      if (same_name(preset.name, name)) return preset;
    std::vector<std::string> names;
    for (const Preset& preset : fitting) names.push_back(preset.name);
    throw RequestError(asked.source.describe() + ": this model has no preset '" + name + "'" +
                           did_you_mean(name, names) +
                           (fitting.empty() ? "; none is known for its configuration: say --preset none, and sizes and "
                                              "steps by their flags"
                                            : "; it has" + listed(fitting)),
                       "request.preset");
  }
  if (fitting.size() <= 1) return fitting.empty() ? std::nullopt : std::optional(fitting.front());
  if (std::ranges::count(fitting, true, &Preset::is_default) == 1)
    return *std::ranges::find(fitting, true, &Preset::is_default);
  throw RequestError(
      "several presets suit this model; choose one with --preset NAME, or --preset none:" + listed(fitting),
      "request.preset");
}

void complete(std::vector<ItemSetting>& parameters, const Preset& preset, const Item& pipeline) {
  std::vector<ItemSetting> completed;
  for (const OptionSpec& option : pipeline.options) {
    const auto given = std::ranges::find(parameters, option.name, &ItemSetting::name);
    const auto value = std::ranges::find(preset.parameters, option.name, &Entry::name);
    if (value == preset.parameters.end()) {
      if (given != parameters.end()) completed.push_back(std::move(*given));
      continue;
    }
    const Source source = Source::preset(preset.name);
    if (given == parameters.end() || given->setting.source.kind == Source::Kind::built_in) {
      completed.push_back({option.name, {value->value, source, {}}});
    } else {
      given->setting.outranked.push_back({value->value, source});
      completed.push_back(std::move(*given));
    }
  }
  parameters = std::move(completed);
}

}  // namespace fastvideo::host
