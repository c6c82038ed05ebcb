#include "pipelines/common/text/tokenizer/utf8.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fastvideo/core.hpp>

namespace fastvideo {
namespace {

[[noreturn]] void refuse(std::string_view text, size_t offset) {
  std::array<char, 8> byte{};
  std::snprintf(byte.data(), byte.size(), "0x%02X", static_cast<unsigned>(static_cast<unsigned char>(text[offset])));
  throw Refused("the text is not UTF-8: byte " + std::string(byte.data()) + " at offset " + std::to_string(offset) +
                "; give it in UTF-8");
}

/// Code point of the sequence at offset; moves offset behind the sequence.
char32_t next_code_point(std::string_view text, size_t& offset) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(offset);
  if (first < 0x80) return text[offset++];
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - offset < length) refuse(text, offset);
  char32_t code_point = first & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(offset + i) & 0xC0U) != 0x80) refuse(text, offset);
    code_point = code_point << 6 | (byte(offset + i) & 0x3FU);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (overlong || surrogate || code_point > 0x10FFFF) refuse(text, offset);
  offset += length;
  return code_point;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string code_points;
  code_points.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) code_points.push_back(next_code_point(text, offset));
  return code_points;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto continuation = [&](int shift) { text += static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | code_point >> 6);
    continuation(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
    continuation(6);
    continuation(0);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t code_point : text) append_utf8(bytes, code_point);
  return bytes;
}

}  // namespace fastvideo
