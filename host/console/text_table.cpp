#include "host/console/text_table.hpp"

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

std::string hanging(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
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

std::string step_ranges(const std::vector<int32_t>& steps) {
  std::string text;
  for (size_t i = 0; i < steps.size();) {
    size_t last = i;
    while (last + 1 < steps.size() && steps[last + 1] == steps[last] + 1) ++last;
    text += (text.empty() ? "" : ", ") + std::to_string(steps[i] + 1);
    if (last > i) text += "-" + std::to_string(steps[last] + 1);
    i = last + 1;
  }
  return text;
}

}  // namespace fastvideo::host
