#include "host/plugins/manifest_parts.hpp"

#include <algorithm>

#include "host/error/letter_case.hpp"
#include "host/plugins/limits.hpp"

namespace fastvideo::host {
namespace {

// Names that the host does not know may come from a later ABI: they can never match, which is what the author hears.
void warn_unknown_names(TableReader& reader, std::string_view key, const std::vector<std::string>& names,
                        const std::vector<std::string>& known) {
  for (const std::string& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      reader.warn(key, "'" + name + "' is nothing that this host knows" + did_you_mean(name, known));
}

// "sm90" or "sm80+"; any other word is an architecture of devices that this host does not know, and matches none.
Architecture parse_architecture(const std::string& text, TableReader& reader) {
  std::string_view rest = text;
  Architecture out;
  if (rest.ends_with('+')) {
    out.and_later = true;
    rest.remove_suffix(1);
  }
  if (!rest.starts_with("sm") || rest.size() < 4 || rest.size() > 5 || !consists_of(rest.substr(2), is_digit)) {
    out.unknown = text;
    reader.warn("architectures", "'" + text +
                                     "' is nothing that this host knows, and fits no device here; an architecture of "
                                     "CUDA is written sm90, or sm80+ for that and later");
    return out;
  }
  out.number = std::stoi(std::string(rest.substr(2)));
  return out;
}

int64_t positive(TableReader& reader, std::string_view key, int64_t otherwise) {
  const TomlValue* value = reader.find(key, FV_VALUE_INT);
  if (value == nullptr) return otherwise;
  if (value->scalar.integer() < 1) throw reader.refuse(key, "'" + std::string(key) + "' must be at least 1");
  return value->scalar.integer();
}

std::optional<HeadSizes> parse_head_sizes(TableReader& limits, const ManifestContext& context) {
  const TomlValue* value = limits.find("head_sizes");
  if (value == nullptr) return std::nullopt;
  HeadSizes out;
  if (value->type == FV_VALUE_TABLE) {
    TableReader reader = context.read(*value, "head_sizes");
    out.min = positive(reader, "min", out.min);
    out.max = positive(reader, "max", out.max);
    out.multiple = positive(reader, "multiple", out.multiple);
    reader.warn_about_the_rest();
    if (out.min > out.max) throw limits.refuse("head_sizes", "min of head_sizes is above max");
    return out;
  }
  for (const TomlValue& item : value->items) {
    if (item.type != FV_VALUE_INT || item.scalar.integer() < 1)
      throw limits.refuse("head_sizes", "head_sizes lists whole numbers from 1");
    out.list.push_back(item.scalar.integer());
  }
  if (out.list.empty())
    throw limits.refuse("head_sizes", "head_sizes is a list of at least one number, or { min, max, multiple }");
  return out;
}

OptionType parse_type(TableReader& reader) {
  const std::string name = reader.required_string("type");
  for (const OptionType type : {OptionType::boolean, OptionType::integer, OptionType::number, OptionType::string})
    if (name == type_name(type)) return type;
  throw reader.refuse("type", "'" + name + "' is no type of an option; bool, int, float and string are");
}

void parse_range(TableReader& reader, OptionSpec& option) {
  const TomlValue* range = reader.find("range", FV_VALUE_LIST);
  if (range == nullptr) return;
  if (option.type != OptionType::integer && option.type != OptionType::number)
    throw reader.refuse("range", "a range is for numbers, not for a " + std::string(type_name(option.type)));
  const auto is_number = [&](const TomlValue& value) {
    return value.type == FV_VALUE_INT || (value.type == FV_VALUE_FLOAT && option.type == OptionType::number);
  };
  const auto& ends = range->items;
  if (ends.size() != 2 || !is_number(ends[0]) || !is_number(ends[1]) ||
      !(ends[0].scalar.number() <= ends[1].scalar.number()))
    throw reader.refuse("range", "a range is two numbers of the option's type, the smaller one first");
  option.minimum = ends[0].scalar.number();
  option.maximum = ends[1].scalar.number();
}

}  // namespace

bool is_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

ItemNeeds parse_needs(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[item.needs]");
  ItemNeeds needs;
  needs.torch = reader.string("torch");
  if (reader.find("torch") != nullptr) {
    const size_t dot = needs.torch.find('.');
    if (dot == std::string::npos || !consists_of(needs.torch.substr(0, dot), is_digit) ||
        !consists_of(needs.torch.substr(dot + 1), is_digit))
      throw reader.refuse("torch", "torch is LibTorch's major.minor, \"2.11\", not \"" + needs.torch + "\"");
  }
  needs.libraries = reader.strings("libraries").value_or(std::vector<std::string>{});
  for (const std::string& library : needs.libraries)
    if (!is_file_name(library))
      throw reader.refuse("libraries", "'" + library + "' is no file name; folders belong in [libraries] path");
  reader.warn_about_the_rest();
  return needs;
}

ItemLimits parse_limits(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[item.limits]");
  ItemLimits limits;
  limits.devices = reader.strings("devices");
  if (limits.devices) warn_unknown_names(reader, "devices", *limits.devices, {"cpu", "cuda"});
  limits.dtypes = reader.strings("dtypes");
  if (limits.dtypes)
    warn_unknown_names(reader, "dtypes", *limits.dtypes, {"float64", "float32", "float16", "bfloat16"});
  limits.roles = reader.strings("roles");
  if (const auto architectures = reader.strings("architectures")) {
    limits.architectures.emplace();
    for (const std::string& name : *architectures) limits.architectures->push_back(parse_architecture(name, reader));
  }
  limits.head_sizes = parse_head_sizes(reader, context);
  if (const auto masks = reader.strings("masks")) {
    std::vector<std::string> known;
    limits.masks = 0;
    for (const auto& [bit, name] : kMaskNames) {
      known.emplace_back(name);
      if (std::find(masks->begin(), masks->end(), name) != masks->end()) *limits.masks |= bit;
    }
    warn_unknown_names(reader, "masks", *masks, known);
  }
  reader.warn_about_the_rest();
  return limits;
}

OptionSpec parse_option(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[[item.option]]");
  OptionSpec option;
  option.name = reader.required_string("name");
  if (!is_lower(option.name[0]) ||
      !consists_of(option.name, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; }))
    throw reader.refuse("name", "'" + option.name + "' is no name of an option: lower_snake, a letter first");
  option.type = parse_type(reader);
  option.help = reader.string("help");
  if (const auto choices = reader.strings("choices")) {
    if (option.type != OptionType::string || choices->empty())
      throw reader.refuse("choices", "choices are for strings, and at least one");
    option.choices = *choices;
  }
  parse_range(reader, option);
  if (const TomlValue* value = reader.find("default")) {
    try {
      option.default_value = option.check(value->value(), "the default of option '" + option.name + "'");
    } catch (const RequestError& e) {
      throw reader.refuse("default", e.what());
    }
  }
  option.flag = reader.string("flag");
  if (!option.flag.empty() && (!option.flag.starts_with("--") || option.flag.size() < 3 || !is_lower(option.flag[2]) ||
                               !consists_of(std::string_view(option.flag).substr(2),
                                            [](char c) { return is_lower(c) || is_digit(c) || c == '-'; })))
    throw reader.refuse("flag", "'" + option.flag + "' is no flag; write --lower-case");
  option.variable = reader.string("variable");
  if (!option.variable.empty() &&
      !consists_of(option.variable, [](char c) { return is_upper(c) || is_digit(c) || c == '_'; }))
    throw reader.refuse("variable", "'" + option.variable + "' is no environment variable; write UPPER_CASE");
  reader.warn_about_the_rest();
  return option;
}

DataFile parse_data(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[[item.data]]");
  DataFile data;
  data.name = reader.required_string("name");
  data.option = reader.string("option");
  data.calibrated = reader.string("calibrated");
  if (!data.calibrated.empty() && data.calibrated != "toml" && data.calibrated != "json")
    throw reader.refuse("calibrated", "'" + data.calibrated + "' is neither toml nor json");
  if (!data.calibrated.empty() && data.option.empty())
    throw reader.refuse("calibrated", "what a calibration writes is read through an option: add option = \"...\"");
  if (data.option.empty()) {
    const std::string file = reader.required_string("file");
    if (!is_file_name(file)) throw reader.refuse("file", "'" + file + "' is no name of a file in the plugin's folder");
    data.file = context.folder / file;
    if (data.file.extension() != ".json" && data.file.extension() != ".toml")
      throw reader.refuse("file", "'" + file + "' is neither .json nor .toml");
  } else if (reader.find("file") != nullptr) {
    throw reader.refuse("file", "a data file is the plugin's own (file) or the user's (option), not both");
  }
  reader.warn_about_the_rest();
  return data;
}

InstalledFile parse_installed(const TomlValue& table, const ManifestContext& context) {
  TableReader reader = context.read(table, "[[item.installed]]");
  InstalledFile installed;
  installed.option = reader.required_string("option");
  installed.python = reader.required_string("python");
  installed.what = reader.required_string("what");
  installed.install = reader.required_string("install");
  const std::filesystem::path file(installed.python);
  const std::string pattern = file.filename().string();
  const bool leaves = std::any_of(file.begin(), file.end(), [](const auto& part) { return part == ".."; });
  if (file.is_absolute() || leaves || pattern.empty() || std::count(pattern.begin(), pattern.end(), '*') > 1 ||
      file.parent_path().string().find('*') != std::string::npos)
    throw reader.refuse("python", "'" + installed.python +
                                      "' is no file below a folder of Python packages, with at most one * in its name");
  reader.warn_about_the_rest();
  return installed;
}

}  // namespace fastvideo::host
