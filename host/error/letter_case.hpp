// The letters of names, which are ASCII's alone whatever the locale is. Names are compared without letter case.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace fastvideo::host {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
/// Of a name, and of a key of TOML without quotes.
inline bool is_of_name(char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_' || c == '-'; }

/// Whether text is one or more of the characters that `allowed` accepts.
template <class Allowed>
bool consists_of(std::string_view text, Allowed&& allowed) {
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

inline char small_letter(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string small_letters(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), small_letter);
  return out;
}

inline bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, small_letter, small_letter);
}

}  // namespace fastvideo::host
