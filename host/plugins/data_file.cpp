// Data files of plugins, parsed for them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/plugins/manifest.hpp"

namespace fastvideo {
namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 64;

Value convert(const Json& json, const std::string& file) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > uint64_t{INT64_MAX})
        throw RequestError(file + ": " + json.dump() + " is above the largest int, " + std::to_string(INT64_MAX));
      return json.get<int64_t>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      if (text.find('\0') != std::string::npos) throw RequestError(file + ": a text contains the character NUL");
      return text;
    }
    case Json::value_t::array: {
      Value::List list;
      for (const Json& item : json) list.push_back(convert(item, file));
      return list;
    }
    case Json::value_t::object: {
      Value::Table table;
      for (const auto& [name, value] : json.items()) {
        if (name.find('\0') != std::string::npos) throw RequestError(file + ": a name contains the character NUL");
        table.push_back({name, convert(value, file)});
      }
      return table;
    }
    default:
      return {};  // null
  }
}

Value parse_json(const std::string& text, const std::string& file) {
  const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest) throw RequestError(file + ": nested more than " + std::to_string(deepest) + " deep");
    return true;
  };
  try {
    return convert(Json::parse(text, limit_depth), file);
  } catch (const Json::exception& e) {
    throw RequestError(file + ": " + e.what());
  }
}

}  // namespace

Value::Table read_data(const Item& item, const Value::Table& options) {
  Value::Table table;
  for (const DataFile& data : item.data) {
    std::filesystem::path path = data.file;
    if (!data.option.empty()) {
      const auto given =
          std::find_if(options.begin(), options.end(), [&](const Entry& option) { return option.name == data.option; });
      if (given == options.end()) continue;  // the user has none
      path = given->value.string();
      if (path.extension() != ".json" && path.extension() != ".toml")
        throw RequestError(item.settings_prefix() + "." + data.option + ": '" + path.string() +
                           "' is neither .json nor .toml");
    }
    const std::string file = path.string();
    const std::string text = read_text_file(path);
    table.push_back({data.name, path.extension() == ".json" ? parse_json(text, file) : parse_toml(text, file).value()});
  }
  return table;
}

}  // namespace fastvideo
