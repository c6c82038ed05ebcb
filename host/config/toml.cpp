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

// toml++ 3.3 takes characters beyond ASCII for impossible where white space may stand (its tables of Unicode end in
// __builtin_unreachable). TOML has none there outside of strings and comments: they are refused before it sees them.
class OutsideOfStrings {
 public:
  OutsideOfStrings(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  void check() {
    if (starts("\xEF\xBB\xBF")) at_ += 3;  // the mark that some editors put at the beginning
    while (at_ < text_.size()) {
      if (!begins_a_token())
        require_ascii(at_++);
      else if (starts("\"\"\"") || starts("\'\'\'"))
        skip_string(text_.substr(at_, 3));
      else if (text_[at_] == '"' || text_[at_] == '\'')
        skip_string(text_.substr(at_, 1));
      else if (text_[at_] == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else
        require_ascii(at_++);
    }
  }

 private:
  // Quotes in the middle of something open no string.
  bool begins_a_token() const {
    return text_[at_] == '#' || at_ == 0 ||
           std::string_view(" \t\r\n=[{,.\xBF").find(text_[at_ - 1]) != std::string::npos;
  }
  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }

  void skip_string(std::string_view quotes) {
    at_ += quotes.size();
    while (at_ < text_.size() && !starts(quotes)) {
      if (quotes.size() == 1 && text_[at_] == '\n') return;  // unfinished, which the parser will say
      const bool escapes = text_[at_] == '\\' && quotes[0] == '"';
      at_ += escapes ? 2 : 1;
      if (escapes && quotes.size() == 3) skip_folded_lines();
    }
    at_ = std::min(at_ + quotes.size(), text_.size());
  }

  // Behind a backslash at the end of a line, white space up to the next character is left out.
  void skip_folded_lines() {
    size_t next = at_ - 1;
    while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t' || text_[next] == '\r')) ++next;
    if (next >= text_.size() || text_[next] != '\n') return;
    while (next < text_.size() && std::strchr(" \t\r\n", text_[next]) != nullptr && text_[next] != '\0') ++next;
    require_ascii(next);
    at_ = next;
  }

  void require_ascii(size_t at) const {
    if (at >= text_.size() || static_cast<unsigned char>(text_[at]) < 0x80) return;
    const std::string_view before = text_.substr(0, at);
    const auto line = static_cast<uint32_t>(1 + std::count(before.begin(), before.end(), '\n'));
    const auto column = static_cast<uint32_t>(at - before.rfind('\n'));  // from npos, which is -1, in the first line
    throw RequestError(place(file_, {line, column}) +
                       "a character beyond ASCII where only strings may have one; put the text in quotes");
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
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
  OutsideOfStrings(text, file).check();
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
