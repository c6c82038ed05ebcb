#include "pipelines/common/text/tokenizer/fix_text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fastvideo/core.hpp>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "pipelines/common/text/tokenizer/html_unescape.hpp"
#include "pipelines/common/text/tokenizer/utf8.hpp"
#include "pipelines/common/text/tokenizer/windows_1252.hpp"

namespace fastvideo {
namespace {

// U+02FF is the last character before the combining marks; up to it all text is composed.
constexpr char32_t kLastComposed = 0x2FF;

int combining_class(char32_t c) {
  return c <= kLastComposed ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

/// The text decomposed, the marks of each letter in canonical order. utf8proc gives the same result, in a time that
/// grows with the square of the number of marks.
std::u32string with_marks_in_order(std::u32string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (const char32_t c : text) {
    constexpr int kMost = 32;
    std::array<utf8proc_int32_t, kMost> parts{};
    const utf8proc_ssize_t count =
        c <= kLastComposed
            ? 0
            : utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), kMost,
                                      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), nullptr);
    if (count < 1 || count > kMost) result += c;
    for (utf8proc_ssize_t i = 0; i < count && count <= kMost; ++i) result += static_cast<char32_t>(parts[i]);
  }
  const auto is_mark = [](char32_t c) { return combining_class(c) != 0; };
  for (auto begin = result.begin(); begin != result.end();) {
    begin = std::find_if(begin, result.end(), is_mark);
    const auto end = std::find_if_not(begin, result.end(), is_mark);
    std::stable_sort(begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
  return result;
}

std::u32string normalize(std::u32string_view text, int form) {
  if (form == 0 && std::all_of(text.begin(), text.end(), [](char32_t c) { return c <= kLastComposed; }))
    return std::u32string(text);
  const std::string bytes = encode_utf8(form == 0 ? with_marks_in_order(text) : std::u32string(text));
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()), static_cast<utf8proc_ssize_t>(bytes.size()),
                   &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | form));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (length < 0) throw std::runtime_error(std::string("Unicode normalization: ") + utf8proc_errmsg(length));
  return decode_utf8({reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)});
}

/// The letters of a ligature or digraph; empty for any other character.
std::u32string_view ligature(char32_t c) {
  switch (c) {
    case 0x0132:
      return U"IJ";
    case 0x0133:
      return U"ij";
    case 0x0149:
      return U"\u02BCn";
    case 0x01C4:
      return U"D\u017D";
    case 0x01C5:
      return U"D\u017E";
    case 0x01C6:
      return U"d\u017E";
    case 0x01C7:
      return U"LJ";
    case 0x01C8:
      return U"Lj";
    case 0x01C9:
      return U"lj";
    case 0x01CA:
      return U"NJ";
    case 0x01CB:
      return U"Nj";
    case 0x01CC:
      return U"nj";
    case 0x01F1:
      return U"DZ";
    case 0x01F2:
      return U"Dz";
    case 0x01F3:
      return U"dz";
    case 0xFB00:
      return U"ff";
    case 0xFB01:
      return U"fi";
    case 0xFB02:
      return U"fl";
    case 0xFB03:
      return U"ffi";
    case 0xFB04:
      return U"ffl";
    case 0xFB05:
      return U"\u017Ft";
    case 0xFB06:
      return U"st";
    default:
      return {};
  }
}

/// The standard width of a character of the block of half and full width forms.
const std::u32string& standard_width(char32_t c) {
  constexpr char32_t kFirst = 0xFF01;
  constexpr char32_t kLast = 0xFFEF;
  static const std::vector<std::u32string> table = [] {
    std::vector<std::u32string> forms;
    for (char32_t form = kFirst; form <= kLast; ++form)
      forms.push_back(normalize(std::u32string(1, form), UTF8PROC_COMPAT));
    return forms;
  }();
  static const std::u32string space = U" ";
  return c == 0x3000 ? space : table[c - kFirst];
}

/// Character by character: C1 controls, ligatures, width, quotes. Each step works on the result of the one before.
void append_fixed(std::u32string& result, char32_t c) {
  if (c >= 0x80 && c <= 0x9F) c = windows_1252(c);
  if (const std::u32string_view letters = ligature(c); !letters.empty()) {
    for (const char32_t letter : letters) append_fixed(result, letter);
    return;
  }
  if (c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF)) {
    const std::u32string& form = standard_width(c);
    if (form.size() != 1 || form[0] != c) {
      result += form;
      return;
    }
  }
  if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B)) c = '\'';
  if (c >= 0x201C && c <= 0x201F) c = '"';
  result += c;
}

/// CR, CRLF, line and paragraph separator to LF.
std::u32string fix_line_breaks(std::u32string_view text) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool pair = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!pair) result += text[i] == '\r' || text[i] == 0x2028 || text[i] == 0x2029 ? U'\n' : text[i];
  }
  return result;
}

/// Length of a terminal escape at the beginning of text, ESC [ digits and semicolons, letter; 0 if there is none.
size_t terminal_escape(std::u32string_view text) {
  if (text.size() < 3 || text[0] != 0x1B || text[1] != '[') return 0;
  size_t i = 2;
  const auto is_digit = [](char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
  };
  while (i < text.size() && (text[i] == ';' || is_digit(text[i]))) ++i;
  const bool letter = i < text.size() && text[i] < 0x80 && ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z');
  return letter ? i + 1 : 0;
}

bool is_removed_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F || (c >= 0x206A && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFC);
}

std::u32string remove_escapes_and_controls(std::u32string_view text) {
  std::u32string result;
  for (size_t i = 0; i < text.size();) {
    const size_t escape = terminal_escape(text.substr(i));
    if (escape == 0 && !is_removed_control(text[i])) result += text[i];
    i += escape == 0 ? 1 : escape;
  }
  return result;
}

/// Resolves references in references, "&amp;amp;lt;" and "&#&#51;8;", in one pass over the text.
class NestedReferences {
 public:
  void push(char32_t c) {
    std::u32string fixed;
    append_fixed(fixed, c);
    for (char32_t one : fixed) {
      if (is_removed_control(one) && one != 0x1B) continue;
      if (one == 0x37E) one = U';';   // composition of the Greek question mark
      if (one == 0x212A) one = U'K';  // composition of the Kelvin sign
      text_ += one;
      if (one == U';') reduce();
    }
  }
  std::u32string take() { return std::move(text_); }

 private:
  void reduce() {
    constexpr size_t kLongest = 27;  // '&', '#', 24 letters, ';'
    const size_t begin = text_.rfind(U'&');
    if (begin == std::u32string::npos || text_.size() - begin > kLongest) return;
    const std::u32string reference = text_.substr(begin);
    const std::u32string resolved = unescape_clear_entities(reference);
    if (resolved == reference) return;
    text_.resize(begin);
    for (const char32_t c : resolved) push(c);
  }

  std::u32string text_;
};

/// ftfy repeats until nothing changes, and each time resolves one level of nested references. So does this function in
/// its first passes; for references nested deeper, it resolves all levels at once.
std::u32string fix_segment(std::u32string text, bool unescape) {
  constexpr int kPassesOneLevel = 24;
  constexpr int kMostPasses = 64;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    std::u32string fixed;
    if (unescape && pass >= kPassesOneLevel) {
      NestedReferences nested;
      for (const char32_t c : text) nested.push(c);
      fixed = nested.take();
    } else {
      for (const char32_t c : unescape ? unescape_clear_entities(text) : text) append_fixed(fixed, c);
    }
    fixed = normalize(remove_escapes_and_controls(fix_line_breaks(fixed)), 0);
    if (fixed == text) return fixed;
    text = std::move(fixed);
  }
  throw Refused("the prompt holds character references (&#38;) nested more than " + std::to_string(kMostPasses) +
                " deep among control characters; write it without them");
}

}  // namespace

std::u32string fix_text(std::u32string_view text) {
  constexpr size_t kLongestSegment = 1'000'000;
  std::u32string result;
  bool unescape = true;
  while (!text.empty()) {
    const size_t line_end = text.find(U'\n');
    const size_t length = std::min(line_end == std::u32string_view::npos ? text.size() : line_end + 1, kLongestSegment);
    const std::u32string_view segment = text.substr(0, length);
    if (segment.find(U'<') != std::u32string_view::npos) unescape = false;
    result += fix_segment(std::u32string(segment), unescape);
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace fastvideo
