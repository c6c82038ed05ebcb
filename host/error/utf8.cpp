#include "host/error/utf8.hpp"

namespace fastvideo::host {

Utf8Character character_at(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || length > text.size()) return {};
  uint32_t code = first & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  const bool is_overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool is_none = (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF;
  return is_overlong || is_none ? Utf8Character{} : Utf8Character{code, length, true};
}

size_t whole_characters(std::string_view text, size_t most) {
  if (text.size() <= most) return text.size();
  while (most > 0 && is_continuation(text[most])) --most;
  return most;
}

std::optional<size_t> first_that_is_not_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Character c = character_at(text.substr(at));
    if (!c.is_valid) return at;
    at += c.bytes;
  }
  return std::nullopt;
}

}  // namespace fastvideo::host
