#include "host/plugins/table_reader.hpp"

#include <algorithm>
#include <array>

#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

constexpr std::array<std::string_view, 7> kTypeNames = {"nothing",  "a bool", "an int", "a float",
                                                        "a string", "a list", "a table"};

}  // namespace

TableReader::TableReader(const TomlValue& table, std::string what, const std::string& file,
                         std::vector<std::string>& warnings)
    : table_(table), what_(std::move(what)), file_(file), warnings_(warnings) {}

std::string TableReader::place(std::string_view key) const {
  uint32_t line = table_.line, column = table_.column;
  for (const TomlEntry& entry : table_.entries)
    if (entry.name == key) line = entry.line, column = entry.column;
  return place_of(file_, line, column);
}

RequestError TableReader::refuse(std::string_view key, const std::string& what) const {
  return RequestError(place(key) + what);
}

void TableReader::warn(std::string_view key, const std::string& what) { warnings_.push_back(place(key) + what); }

const TomlValue* TableReader::find(std::string_view key) {
  asked_.emplace_back(key);
  return table_.find(key);
}

const TomlValue* TableReader::find(std::string_view key, uint32_t type) {
  const TomlValue* value = find(key);
  if (value != nullptr && value->type != type)
    throw refuse(key, "'" + std::string(key) + "' of " + what_ + " is " + std::string(kTypeNames[value->type]) +
                          " and must be " + std::string(kTypeNames[type]));
  return value;
}

std::string TableReader::string(std::string_view key) {
  const TomlValue* value = find(key, FV_VALUE_STRING);
  return value == nullptr ? "" : value->scalar.string();
}

std::string TableReader::required_string(std::string_view key) {
  std::string text = string(key);
  if (text.empty()) throw refuse(key, what_ + " needs '" + std::string(key) + "', a string that is not empty");
  return text;
}

std::optional<std::vector<std::string>> TableReader::strings(std::string_view key) {
  const TomlValue* list = find(key, FV_VALUE_LIST);
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> out;
  for (const TomlValue& item : list->items) {
    if (item.type != FV_VALUE_STRING)
      throw refuse(key, "'" + std::string(key) + "' of " + what_ + " is a list of strings");
    out.push_back(item.scalar.string());
  }
  return out;
}

const std::vector<TomlValue>& TableReader::tables(std::string_view key) {
  static const std::vector<TomlValue> none;
  const TomlValue* list = find(key, FV_VALUE_LIST);
  if (list == nullptr) return none;
  for (const TomlValue& item : list->items)
    if (item.type != FV_VALUE_TABLE)
      throw refuse(
          key, "'" + std::string(key) + "' of " + what_ + " is a list of tables, written [[" + std::string(key) + "]]");
  return list->items;
}

void TableReader::warn_about_the_rest() {
  constexpr size_t kMost = 20;
  size_t unknown = 0;
  for (const TomlEntry& entry : table_.entries) {
    if (std::find(asked_.begin(), asked_.end(), entry.name) != asked_.end()) continue;
    if (++unknown > kMost) continue;
    warn(entry.name, "unknown key '" + shortened(entry.name) + "' of " + what_ + " is passed over" +
                         did_you_mean(entry.name, asked_));
  }
  if (unknown > kMost)
    warnings_.push_back(place_of(file_, table_.line, table_.column) + std::to_string(unknown - kMost) +
                        " more unknown keys of " + what_ + " are passed over");
}

}  // namespace fastvideo::host
