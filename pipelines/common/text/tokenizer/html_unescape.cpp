#include "pipelines/common/text/tokenizer/html_unescape.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>

#include "pipelines/common/text/tokenizer/utf8.hpp"
#include "pipelines/common/text/tokenizer/windows_1252.hpp"

namespace fastvideo {
namespace {

struct Entity {
  std::string_view name;
  std::string_view text;
};

#include "pipelines/common/text/tokenizer/html_entities.inc"

const Entity* find(std::span<const Entity> table, std::string_view name) {
  const auto found = std::lower_bound(table.begin(), table.end(), name,
                                      [](const Entity& entity, std::string_view key) { return entity.name < key; });
  return found != table.end() && found->name == name ? &*found : nullptr;
}

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char32_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
unsigned hex_value(char32_t c) { return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

/// Characters that a reference by number leaves out: controls and noncharacters (the standard's parse errors).
bool is_left_out(char32_t c) {
  const bool control = (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || (c >= 0x7F && c <= 0x9F);
  return control || (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

/// The character of a reference by number; nothing for a character that is left out.
std::u32string character(uint32_t number) {
  if (number == 0) return U"\uFFFD";
  if (number >= 0x80 && number <= 0x9F) return {windows_1252(number)};
  if ((number >= 0xD800 && number <= 0xDFFF) || number > 0x10FFFF) return U"\uFFFD";
  return is_left_out(number) ? std::u32string() : std::u32string(1, number);
}

/// The characters that a reference stands for, and how many characters behind the '&' the reference takes.
struct Reference {
  std::u32string text;
  size_t length;
};

/// rest begins behind "&#".
std::optional<Reference> numeric_reference(std::u32string_view rest) {
  const bool hex = !rest.empty() && (rest[0] == 'x' || rest[0] == 'X');
  const size_t first = hex ? 1 : 0;
  size_t end = first;
  uint32_t number = 0;
  for (; end < rest.size() && (hex ? is_hex(rest[end]) : is_digit(rest[end])); ++end)
    number = std::min<uint32_t>(number * (hex ? 16 : 10) + hex_value(rest[end]), 0x110000);
  if (end == first) return std::nullopt;
  const bool semicolon = end < rest.size() && rest[end] == ';';
  return Reference{character(number), 1 + end + (semicolon ? 1 : 0)};
}

/// rest begins behind '&'. Without a name that fits, the text is unchanged.
std::optional<Reference> named_reference(std::u32string_view rest) {
  constexpr std::u32string_view kEnds = U"\t\n\f <&#;";
  constexpr size_t kLongest = 32;
  size_t length = std::min({rest.find_first_of(kEnds), rest.size(), kLongest});
  if (length == 0) return std::nullopt;
  if (length < rest.size() && rest[length] == ';') ++length;
  const std::u32string_view name = rest.substr(0, length);
  std::string key;
  for (const char32_t c : name) key += c < 0x80 ? static_cast<char>(c) : '\x7f';  // no name contains DEL: none fits
  for (size_t n = length; n > 0; --n)
    if (const Entity* entity = find(entities, std::string_view(key).substr(0, n)))
      return Reference{decode_utf8(entity->text) + std::u32string(name.substr(n)), length};
  return Reference{U"&" + std::u32string(name), length};
}

std::optional<Reference> reference(std::u32string_view rest) {
  if (!rest.empty() && rest[0] == '#') return numeric_reference(rest.substr(1));
  return named_reference(rest);
}

/// '&', perhaps '#', 1 to 24 letters and digits, ';'.
std::optional<Reference> clear_reference(std::u32string_view rest) {
  constexpr size_t kLongest = 24;
  const size_t first = !rest.empty() && rest[0] == '#' ? 1 : 0;
  size_t end = first;
  while (end < rest.size() && (is_digit(rest[end]) || is_letter(rest[end]))) ++end;
  if (end == first || end - first > kLongest || end == rest.size() || rest[end] != ';') return std::nullopt;
  const std::u32string_view name = rest.substr(0, end + 1);
  if (first == 0) {
    const std::string key = encode_utf8(name);
    const Entity* entity = find(entities, key);
    if (entity == nullptr) entity = find(capital_entities, key);
    if (entity == nullptr) return std::nullopt;
    return Reference{decode_utf8(entity->text), name.size()};
  }
  // An incomplete number, as in "&#12ab;", keeps its semicolon and stays; so does the number of the semicolon.
  std::optional<Reference> number = numeric_reference(name.substr(1));
  if (!number || number->length != name.size() || number->text == U";") return std::nullopt;
  return number;
}

template <class Match>
std::u32string replace_references(std::u32string_view text, Match&& match) {
  std::u32string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const std::optional<Reference> found = text[i] == '&' ? match(text.substr(i + 1)) : std::nullopt;
    if (found) {
      result += found->text;
      i += found->length;
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

std::u32string html_unescape(std::u32string_view text) { return replace_references(text, reference); }

std::u32string unescape_clear_entities(std::u32string_view text) { return replace_references(text, clear_reference); }

}  // namespace fastvideo
