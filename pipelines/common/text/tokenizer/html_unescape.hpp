// Character references of HTML ("&eacute;", "&#233;") to characters.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// As Python's html.unescape: HTML 5's names, with and without the semicolon where HTML allows it; numbers, with the
/// numbers of windows-1252's controls read as browsers do.
std::u32string html_unescape(std::u32string_view text);

/// As ftfy's unescape_html, which is cautious with text that was never HTML: references must end in a semicolon; names
/// of letters may also be spelled in capitals ("&EACUTE;").
std::u32string unescape_clear_entities(std::u32string_view text);

}  // namespace fastvideo
