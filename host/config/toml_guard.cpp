#include "host/config/toml_guard.hpp"

#include <algorithm>
#include <fastvideo/input_file.hpp>
#include <vector>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"
#include "host/error/utf8.hpp"

namespace fastvideo::host {
namespace {

bool is_of_word(char c) { return is_of_name(c) || c == '+' || c == '.' || c == ':'; }

// One pass over a text. `at_` stands behind what has been read.
class TomlGuard {
 public:
  TomlGuard(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  void run() {
    check_characters();
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    for (skip_lines(); at_ < text_.size(); skip_lines()) {
      if (peek() == '[')
        header();
      else
        key_and_value(header_depth_);
      end_of_line();
    }
  }

 private:
  // An array or inline table whose end has not been read, and how many are around what it holds.
  struct Open {
    bool is_table;
    int depth;
    size_t begin;
  };

  [[noreturn]] void refuse_at(size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const std::string_view line = before.substr(before.rfind('\n') + 1);
    // Columns count characters.
    const auto column = 1 + std::count_if(line.begin(), line.end(), [](char c) { return !is_continuation(c); });
    const auto row = 1 + std::count(before.begin(), before.end(), '\n');
    throw RequestError(place_of(file_, row, column) + "Error while parsing TOML: " + what);
  }
  [[noreturn]] void refuse_here(const std::string& wanted) const {
    if (at_ >= text_.size()) refuse_at(text_.size(), "the file ends where " + wanted + " is needed");
    const std::string_view here = text_.substr(at_);
    const std::string found =
        here[0] == '\n' ? "the line ends" : "'" + printable(here.substr(0, character_at(here).bytes)) + "' stands";
    refuse_at(at_, found + " where " + wanted + " is needed");
  }

  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void check_characters() const {
    for (size_t i = 0; i < text_.size();) {
      const auto byte = static_cast<unsigned char>(text_[i]);
      if (byte == '\r' && i + 1 < text_.size() && text_[i + 1] == '\n') {
        i += 2;
        continue;
      }
      if (byte < 0x80) {
        if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F)
          refuse_at(i, "the control character " + printable(text_.substr(i, 1)) + "; in a text it is written \\u00..");
        ++i;
        continue;
      }
      const Utf8Character c = character_at(text_.substr(i));
      if (!c.is_valid) refuse_at(i, "the byte " + printable(text_.substr(i, 1)) + " is not UTF-8");
      i += c.bytes;
    }
  }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  bool skip_line_end() {
    const size_t bytes = peek() == '\n' ? 1 : peek() == '\r' && peek(1) == '\n' ? 2 : 0;
    at_ += bytes;
    return bytes > 0;
  }
  void skip_comment() {
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  void skip_lines() {
    do {
      skip_blanks();
      skip_comment();
    } while (skip_line_end());
  }
  void end_of_line() {
    skip_blanks();
    skip_comment();
    if (at_ < text_.size() && !skip_line_end()) refuse_here("the end of the line");
  }
  void expect(char wanted) {
    if (peek() != wanted || at_ >= text_.size()) refuse_here(std::string("'") + wanted + "'");
    ++at_;
  }

  void check_depth(int depth, size_t at) const {
    if (depth > kDeepestNesting) refuse_at(at, "nested more than " + std::to_string(kDeepestNesting) + " deep");
  }

  // [a.b] or [[a.b]]
  void header() {
    const bool is_list = peek(1) == '[';
    at_ += is_list ? 2 : 1;
    const size_t begin = at_;
    header_depth_ = key(0);
    check_depth(header_depth_, begin);
    expect(']');
    if (is_list) expect(']');
  }

  // Reads a key and gives the depth of what stands under it; `depth` is that of the table that it is in.
  int key(int depth) {
    while (true) {
      skip_blanks();
      const size_t begin = at_;
      if (peek() == '"' || peek() == '\'')
        text_on_one_line();
      else
        while (is_of_name(peek())) ++at_;
      if (at_ == begin) refuse_here("a key");
      ++depth;
      skip_blanks();
      if (peek() != '.') return depth;
      check_depth(depth, begin);
      ++at_;
    }
  }

  void text_on_one_line() {
    const size_t begin = at_;
    const char quote = text_[at_++];
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return;
      }
      if (quote == '"' && text_[at_] == '\\' && peek(1) != '\n') ++at_;
    }
    refuse_at(begin, "the text that begins here does not end on its line");
  }

  void text_of_lines() {
    const size_t begin = at_;
    const char quote = text_[at_];
    at_ += 3;
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        at_ += 2;
        continue;
      }
      if (text_[at_] != quote) {
        ++at_;
        continue;
      }
      const size_t run = std::min(text_.find_first_not_of(quote, at_), text_.size()) - at_;
      at_ += run;
      if (run > 5) refuse_at(at_ - run, std::to_string(run) + " quotes end no text");
      if (run >= 3) return;
    }
    refuse_at(begin, "the text that begins here does not end");
  }

  void scalar() {
    const char c = peek();
    if (c == '"' || c == '\'') {
      if (peek(1) == c && peek(2) == c)
        text_of_lines();
      else
        text_on_one_line();
      return;
    }
    const size_t begin = at_;
    while (is_of_word(peek())) ++at_;
    if (at_ == begin) refuse_here("a value");
    // A date and its time may stand apart.
    if (at_ - begin == 10 && text_[begin + 4] == '-' && peek() == ' ' && peek(1) >= '0' && peek(1) <= '9')
      for (++at_; is_of_word(peek());) ++at_;
  }

  // key = value. `depth`: of the table that it is in.
  void key_and_value(int depth) {
    std::vector<Open> open;
    int inside = key(depth);
    expect('=');
    while (true) {  // a value is to be read, which stands under `inside` keys and brackets
      skip_inside(open);
      const char c = peek();
      if (c == '[' || c == '{') {
        check_depth(inside, at_);
        open.push_back({c == '{', inside, at_});
        ++at_;
        skip_inside(open);
        if (peek() != (c == '[' ? ']' : '}')) {
          inside = next_inside(open.back());
          continue;
        }
      } else {
        scalar();
        if (open.empty()) return;
      }
      if (!close(open)) return;
      inside = next_inside(open.back());
    }
  }

  // Behind a value or an opening bracket: closes what ends here. Whether another value follows.
  bool close(std::vector<Open>& open) {
    while (!open.empty()) {
      skip_inside(open);
      const char end = open.back().is_table ? '}' : ']';
      if (peek() == ',') {
        ++at_;
        skip_inside(open);
        if (open.back().is_table || peek() != ']') return true;
      }
      if (at_ >= text_.size()) refuse_at(open.back().begin, "the bracket that opens here is not closed");
      if (peek() != end) refuse_here(std::string("',' or '") + end + "'");
      ++at_;
      open.pop_back();
    }
    return false;
  }

  // The depth of the next value in an array or inline table, whose key is read.
  int next_inside(const Open& open) {
    if (!open.is_table) return open.depth + 1;
    const int inside = key(open.depth);
    expect('=');
    return inside;
  }

  // Line ends and comments may stand in arrays alone.
  void skip_inside(const std::vector<Open>& open) {
    if (!open.empty() && !open.back().is_table)
      skip_lines();
    else
      skip_blanks();
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
  int header_depth_ = 0;
};

}  // namespace

void guard_toml(std::string_view text, const std::string& file) { TomlGuard(text, file).run(); }

}  // namespace fastvideo::host
