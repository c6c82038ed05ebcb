// White space in UTF-8 text, as Unicode defines it.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace fastvideo {

/// Unicode's White_Space.
constexpr bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// The first code point of a UTF-8 text that is not empty, and its bytes.
std::pair<char32_t, size_t> first_code_point(std::string_view text);
/// The last code point of a UTF-8 text that is not empty, and its bytes.
std::pair<char32_t, size_t> last_code_point(std::string_view text);

/// Bytes of white space at the beginning of a UTF-8 text.
size_t leading_white_space(std::string_view text);
/// Bytes of white space at the end of a UTF-8 text.
size_t trailing_white_space(std::string_view text);

}  // namespace fastvideo
