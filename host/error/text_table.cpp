#include "host/error/text_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "host/error/printable.hpp"

namespace fastvideo::host {

namespace {

// A cell is one line, and a long one does not push the others out of sight.
constexpr size_t kLongestCell = 2000;
constexpr size_t kWidestColumn = 200;

}  // namespace

std::string text_table(std::vector<std::vector<std::string>> rows) {
  std::vector<size_t> widths;
  for (auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = shortened(row[i], kLongestCell);
      if (row[i].size() <= kWidestColumn) widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(std::max(widths[i], row[i].size()) - row[i].size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string readable_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, kUnits[unit]);
  return text;
}

std::string readable_seconds(double seconds) {
  char text[48];
  if (seconds < 0.1) {
    std::snprintf(text, sizeof text, "%.2f ms", 1000 * seconds);
  } else if (seconds < 60) {
    std::snprintf(text, sizeof text, "%.2f s", seconds);
  } else {
    const auto total = std::llround(seconds);
    std::snprintf(text, sizeof text, "%lld min %02lld s", total / 60, total % 60);
  }
  return text;
}

}  // namespace fastvideo::host
