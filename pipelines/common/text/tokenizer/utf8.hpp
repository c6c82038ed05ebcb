// UTF-8, checked. The text comes from users; libraries downstream assume that it is well formed.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// Code points of a UTF-8 text. Throws Refused naming the byte offset of the first sequence that is not UTF-8 (cut,
/// overlong, a surrogate, above U+10FFFF).
std::u32string decode_utf8(std::string_view text);

std::string encode_utf8(std::u32string_view text);

/// Appends one code point.
void append_utf8(std::string& text, char32_t code_point);

}  // namespace fastvideo
