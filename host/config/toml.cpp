#include "host/config/toml.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <tuple>

#include "host/error/error.hpp"

namespace fastvideo {
namespace {

std::string place(const std::string& file, const toml::source_position& at) {
  return file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
}

class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  TomlValue convert(const toml::node& node) const {
    TomlValue out;
    out.line = node.source().begin.line;
    out.column = node.source().begin.column;
    if (const auto* table = node.as_table()) {
      out.type = FV_VALUE_TABLE;
      for (const auto& [key, value] : *table) {
        const toml::source_position at = key.source().begin;
        out.entries.push_back({std::string(key.str()), convert(value), at.line, at.column});
        check_text(out.entries.back().name, at);
      }
      // toml++ sorts keys by name; messages and listings follow the file.
      std::stable_sort(out.entries.begin(), out.entries.end(), [](const TomlEntry& a, const TomlEntry& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
      });
    } else if (const auto* array = node.as_array()) {
      out.type = FV_VALUE_LIST;
      for (const toml::node& item : *array) out.items.push_back(convert(item));
    } else {
      out.scalar = scalar(node);
      out.type = out.scalar.type();
    }
    return out;
  }

 private:
  Value scalar(const toml::node& node) const {
    if (const auto* value = node.as_boolean()) return value->get();
    if (const auto* value = node.as_integer()) return value->get();
    if (const auto* value = node.as_floating_point()) return value->get();
    if (const auto* value = node.as_string()) {
      check_text(value->get(), node.source().begin);
      return value->get();
    }
    throw RequestError(place(file_, node.source().begin) + "dates and times are not used here; write a string");
  }

  // Texts cross the ABI as C strings, which would end at a NUL.
  void check_text(const std::string& text, const toml::source_position& at) const {
    if (text.find('\0') != std::string::npos)
      throw RequestError(place(file_, at) + "the text contains the character NUL (\\u0000)");
  }

  const std::string& file_;
};

}  // namespace

const TomlValue* TomlValue::find(std::string_view key) const {
  for (const TomlEntry& entry : entries)
    if (entry.name == key) return &entry.value;
  return nullptr;
}

Value TomlValue::value() const {
  if (type == FV_VALUE_LIST) {
    Value::List list;
    for (const TomlValue& item : items) list.push_back(item.value());
    return list;
  }
  if (type == FV_VALUE_TABLE) {
    Value::Table table;
    for (const TomlEntry& entry : entries) table.push_back({entry.name, entry.value.value()});
    return table;
  }
  return scalar;
}

TomlValue parse_toml(std::string_view text, const std::string& file) {
  try {
    return Converter(file).convert(toml::parse(text, std::string_view(file)));
  } catch (const toml::parse_error& e) {
    throw RequestError(place(file, e.source().begin) + std::string(e.description()));
  }
}

std::string read_text_file(const std::filesystem::path& file) {
  constexpr size_t limit = size_t{16} << 20;
  if (std::filesystem::is_directory(file)) throw RequestError(file.string() + ": is a folder; a file is needed here");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw RequestError(file.string() + ": cannot be read: " + std::strerror(errno));
  std::string text;
  char part[16384];
  while (in.read(part, sizeof(part)) || in.gcount() > 0) {
    text.append(part, static_cast<size_t>(in.gcount()));
    if (text.size() > limit) throw RequestError(file.string() + ": longer than 16 MiB, which no such file is");
  }
  if (in.bad()) throw RequestError(file.string() + ": cannot be read to its end");
  return text;
}

}  // namespace fastvideo
