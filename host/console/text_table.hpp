// Text laid out for people: columns, lines that hang, and numbers as they are read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo::host {

/// Rows of cells as lines, each indented by two spaces, columns two spaces apart. The last column is not padded. Cells
/// become printable(), those above 2000 bytes are cut, and those above 200 make no column wider.
std::string text_table(std::vector<std::vector<std::string>> rows);

/// The lines after the first moved to the right: none of them can be taken for a message of its own.
std::string hanging(std::string_view text);

/// "3.20 ms", "6.13 s", "2 min 05 s"
std::string readable_seconds(double seconds);

/// Steps as people count them, from 1 on: "1-3, 7, 9-12".
std::string step_ranges(const std::vector<int32_t>& steps);

}  // namespace fastvideo::host
