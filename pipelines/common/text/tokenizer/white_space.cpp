#include "pipelines/common/text/tokenizer/white_space.hpp"

#include <algorithm>

namespace fastvideo {

std::pair<char32_t, size_t> first_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = std::min<size_t>(byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4, text.size());
  char32_t code_point = length == 1 ? byte(0) : byte(0) & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) code_point = code_point << 6 | (byte(i) & 0x3FU);
  return {code_point, length};
}

std::pair<char32_t, size_t> last_code_point(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) --begin;
  return first_code_point(text.substr(begin));
}

size_t leading_white_space(std::string_view text) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const auto [code_point, length] = first_code_point(text.substr(bytes));
    if (!is_white_space(code_point)) break;
    bytes += length;
  }
  return bytes;
}

size_t trailing_white_space(std::string_view text) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const auto [code_point, length] = last_code_point(text.substr(0, text.size() - bytes));
    if (!is_white_space(code_point)) break;
    bytes += length;
  }
  return bytes;
}

}  // namespace fastvideo
