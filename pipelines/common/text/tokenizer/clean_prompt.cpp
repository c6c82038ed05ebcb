#include "pipelines/common/text/tokenizer/clean_prompt.hpp"

#include "pipelines/common/text/tokenizer/fix_text.hpp"
#include "pipelines/common/text/tokenizer/html_unescape.hpp"
#include "pipelines/common/text/tokenizer/utf8.hpp"
#include "pipelines/common/text/tokenizer/white_space.hpp"

namespace fastvideo {
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
