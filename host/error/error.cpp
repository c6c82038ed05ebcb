#include "host/error/error.hpp"

#include <algorithm>
#include <cstdio>

#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string formatted(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string readable_bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return formatted(value < 10 ? "%.2f " : value < 100 ? "%.1f " : "%.0f ", value) + kUnits[unit];
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: two back, one back, this one.
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = small_letter(a[i - 1]) == small_letter(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool exchanged = i > 1 && j > 1 && small_letter(a[i - 1]) == small_letter(b[j - 2]) &&
                             small_letter(a[i - 2]) == small_letter(b[j - 1]);
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  // Nobody mistypes a name longer than this; the table of edits grows with the product of both lengths.
  constexpr size_t kLongest = 200;
  std::string nearest;
  size_t smallest = 0;
  if (name.size() > kLongest) return nearest;
  for (const std::string& candidate : known) {
    const size_t longer = std::max(name.size(), candidate.size()), shorter = std::min(name.size(), candidate.size());
    if (candidate.size() > kLongest || 3 * (longer - shorter) > longer)
      continue;  // their lengths alone are too far apart
    const size_t distance = edit_distance(name, candidate);
    if (3 * distance > std::max(name.size(), candidate.size())) continue;
    if (nearest.empty() || distance < smallest) {
      nearest = candidate;
      smallest = distance;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean '" + printable(nearest) + "'?";
}

}  // namespace fastvideo::host
