#include "host/error/printable.hpp"

#include <algorithm>
#include <cstdint>

#include "host/error/utf8.hpp"

namespace fastvideo::host {
namespace {

constexpr size_t kLongestLine = 4000;
constexpr size_t kKeptOfALine = 1200;  // at each end

// Line and paragraph separators, and what turns the direction of writing (Unicode's Bidi_Control).
bool moves_text(uint32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

void append_hexadecimal(std::string& out, const char* prefix, uint32_t value, int digits) {
  out += prefix;
  for (int i = digits; i-- > 0;) out += "0123456789abcdef"[value >> 4 * i & 15];
}

void append_printable(std::string& out, std::string_view bytes, const Utf8Character& c) {
  if (!c.is_valid)
    append_hexadecimal(out, "\\x", static_cast<unsigned char>(bytes[0]), 2);
  else if (c.code == '\n')
    out += "\\n";
  else if (c.code == '\r')
    out += "\\r";
  else if ((c.code < 0x20 && c.code != '\t') || c.code == 0x7F)
    append_hexadecimal(out, "\\x", c.code, 2);
  else if ((c.code >= 0x80 && c.code < 0xA0) || moves_text(c.code))
    append_hexadecimal(out, "\\u", c.code, 4);
  else
    out += bytes.substr(0, c.bytes);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character c = character_at(text);
    append_printable(out, text, c);
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.size() <= kLongestLine) {
      out += printable(line);
    } else {
      const size_t head = whole_characters(line, kKeptOfALine),
                   tail = whole_characters(line, line.size() - kKeptOfALine);
      out += printable(line.substr(0, head)) + " ... (" + std::to_string(tail - head) + " of " +
             std::to_string(line.size()) + " bytes left out) ... " + printable(line.substr(tail));
    }
    if (end == text.size()) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return printable(text);
  return printable(text.substr(0, whole_characters(text, most))) + "... (" + std::to_string(text.size()) + " bytes)";
}

}  // namespace fastvideo::host
