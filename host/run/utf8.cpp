#include "host/run/utf8.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

#include "host/error/error.hpp"

namespace fastvideo {

std::optional<std::size_t> first_that_is_not_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned first = byte(at);
    if (first < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() - at < length) return at;
    std::uint32_t point = first & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0U) != 0x80) return at;
      point = point << 6 | (byte(at + i) & 0x3FU);
    }
    const bool is_overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (is_overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return at;
    at += length;
  }
  return std::nullopt;
}

void require_utf8(std::string_view text, const std::string& where) {
  const std::optional<std::size_t> at = first_that_is_not_utf8(text);
  if (!at) return;
  std::array<char, 8> byte{};
  std::snprintf(byte.data(), byte.size(), "0x%02X", static_cast<unsigned>(static_cast<unsigned char>(text[*at])));
  throw RequestError(where + ": not UTF-8: byte " + byte.data() + " at column " + std::to_string(*at + 1) +
                     "; prompts are UTF-8 text: convert it (iconv -f latin1 -t utf8)");
}

}  // namespace fastvideo
