#include "pipelines/common/tokenizer/clean_prompt.hpp"

#include "pipelines/common/tokenizer/fix_text.hpp"
#include "pipelines/common/tokenizer/html_unescape.hpp"
#include "pipelines/common/tokenizer/utf8.hpp"

namespace fastvideo {
namespace {

/// Unicode's White_Space. Python's strip() also takes U+001C to U+001F, which fix_text has removed.
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace

std::string clean_prompt(std::string_view text) {
  std::string result;
  bool space = false;
  for (const char32_t c : html_unescape(html_unescape(fix_text(decode_utf8(text))))) {
    if (is_white_space(c)) {
      space = true;
      continue;
    }
    if (space && !result.empty()) result += ' ';
    space = false;
    append_utf8(result, c);
  }
  return result;
}

}  // namespace fastvideo
