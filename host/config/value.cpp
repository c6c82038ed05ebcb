#include "host/config/value.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"

namespace fastvideo::host {
namespace {

std::string in_quotes(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      ((out += "\\u00") += kDigits[byte >> 4]) += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// The shortest text that reads back as the same number, and as a float.
std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

bool is_bare(std::string_view key) { return consists_of(key, is_of_name); }

}  // namespace

// Here, where Entry is complete.
Value::Value(bool value) : data_(value) {}
Value::Value(int value) : data_(int64_t{value}) {}
Value::Value(int64_t value) : data_(value) {}
Value::Value(double value) : data_(value) {}
Value::Value(const char* value) : data_(std::string(value)) {}
Value::Value(std::string value) : data_(std::move(value)) {}
Value::Value(std::string_view value) : data_(std::string(value)) {}
Value::Value(List value) : data_(std::move(value)) {}
Value::Value(Table value) : data_(std::move(value)) {}

std::string_view Value::type_name() const {
  static constexpr std::array<std::string_view, 7> kNames = {"nothing", "bool", "int",  "float",
                                                             "string",  "list", "table"};
  return kNames[type()];
}

double Value::number() const {
  if (const auto* integer = std::get_if<int64_t>(&data_)) return static_cast<double>(*integer);
  return std::get<double>(data_);
}

std::vector<std::string> Value::strings() const {
  std::vector<std::string> out;
  for (const Value& item : list()) out.push_back(item.string());
  return out;
}

std::string Value::to_toml() const {
  switch (type()) {
    case FV_VALUE_BOOL:
      return boolean() ? "true" : "false";
    case FV_VALUE_INT:
      return std::to_string(integer());
    case FV_VALUE_FLOAT:
      return float_text(number());
    case FV_VALUE_STRING:
      return in_quotes(string());
    case FV_VALUE_LIST:
      return "[" + joined(list(), ", ", &Value::to_toml) + "]";
    case FV_VALUE_TABLE: {
      const auto in_table = [](const Entry& entry) {
        return (is_bare(entry.name) ? entry.name : in_quotes(entry.name)) + " = " + entry.value.to_toml();
      };
      return table().empty() ? "{}" : "{ " + joined(table(), ", ", in_table) + " }";
    }
    default:
      return "nothing";
  }
}

bool Value::operator==(const Value& other) const { return data_ == other.data_; }

const fv_value* AbiValues::add(const Value& value) {
  values_.push_back(convert(value));
  return &values_.back();
}

std::span<const fv_entry> AbiValues::add(const Value::Table& table) {
  std::vector<fv_entry> entries;
  for (const Entry& entry : table) entries.push_back({keep(entry.name), convert(entry.value)});
  return tables_.emplace_back(std::move(entries));
}

fv_value AbiValues::convert(const Value& value) {
  fv_value out{};
  out.type = value.type();
  switch (out.type) {
    case FV_VALUE_BOOL:
      out.as.integer = value.boolean() ? 1 : 0;
      break;
    case FV_VALUE_INT:
      out.as.integer = value.integer();
      break;
    case FV_VALUE_FLOAT:
      out.as.number = value.number();
      break;
    case FV_VALUE_STRING:
      out.as.string = keep(value.string());
      break;
    case FV_VALUE_LIST: {
      std::vector<fv_value> items;
      for (const Value& item : value.list()) items.push_back(convert(item));
      out.count = static_cast<uint32_t>(items.size());
      out.as.items = lists_.emplace_back(std::move(items)).data();
      break;
    }
    case FV_VALUE_TABLE: {
      const auto entries = add(value.table());
      out.count = static_cast<uint32_t>(entries.size());
      out.as.entries = entries.data();
      break;
    }
    default:
      break;
  }
  return out;
}

const char* AbiValues::keep(const std::string& text) { return texts_.emplace_back(text).c_str(); }

}  // namespace fastvideo::host
