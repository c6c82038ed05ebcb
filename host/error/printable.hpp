// Text of files, plugins and the environment on its way to a terminal: it must neither steer it nor pass for ours.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo::host {

/// One line: line ends as \n and \r, other control characters (C0, DEL, C1) and marks that turn the direction of
/// writing as \x1b and \u202e, bytes that are not UTF-8 as \xff. Tabs stay.
std::string printable(std::string_view text);

/// The same for a text of several lines, whose line ends stay. A line of more than 4000 bytes loses its middle and says
/// how many bytes that were.
std::string printable_lines(std::string_view text);

/// printable(text), and above `most` bytes its beginning alone with "... (N bytes)".
std::string shortened(std::string_view text, size_t most = 200);

}  // namespace fastvideo::host
