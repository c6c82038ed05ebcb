// Columns of text, and numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fastvideo::host {

/// Rows of cells as lines, each indented by two spaces, columns two spaces apart. The last column is not padded. Cells
/// become printable(), those above 2000 bytes are cut, and those above 200 make no column wider.
std::string text_table(std::vector<std::vector<std::string>> rows);

/// "1.17 GiB", "24.0 MiB", "512 bytes"
std::string readable_bytes(std::uint64_t bytes);

/// "3.20 ms", "6.13 s", "2 min 05 s"
std::string readable_seconds(double seconds);

}  // namespace fastvideo::host
