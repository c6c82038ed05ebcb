// What toml++ is shown: text whose structure has been read once before, without recursion.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo::host {

/// Reads TOML 1.0 as far as its structure goes: keys, tables, brackets, texts, line ends. Throws RequestError
/// "file:line:column: what" for
/// - tables, arrays and dotted keys nested deeper than kDeepestNesting;
/// - bytes that are not UTF-8, control characters, characters beyond ASCII outside of texts and comments;
/// - texts, arrays and tables that do not end, quotes and brackets inside of a word or number.
/// What passes may still be no TOML: toml++ says so.
void guard_toml(std::string_view text, const std::string& file);

}  // namespace fastvideo::host
