// The repairs of ftfy.fix_text (version 6.3), without the repair of mojibake.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// Repeats on each line until nothing changes: character references (up to the first line that has a '<': from there on
/// the text is taken for HTML), C1 controls as windows-1252, Latin ligatures, full and half width, curly quotes, line
/// breaks, terminal escapes, control characters, composition (NFC).
std::u32string fix_text(std::u32string_view text);

}  // namespace fastvideo
