#include "plugins/attention/common/number_set.hpp"

#include <algorithm>
#include <charconv>
#include <fastvideo/core.hpp>

namespace fastvideo {
namespace {

std::string_view trim_number(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// A number that is the whole of a text, or -1.
int64_t whole_number(std::string_view text) {
  int32_t number = 0;
  if (text.empty() || text.front() == '-') return -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
}

}  // namespace

NumberSet::NumberSet(std::string_view option, std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    throw Refused(std::string(option) + " = \"" + std::string(text) + "\": " + why +
                  "; write numbers and ranges between commas, such as \"0-1,29\"");
  };
  if (trim_number(text).empty()) return;
  for (std::string_view rest = text; true;) {
    const size_t comma = rest.find(',');
    const std::string_view part = trim_number(rest.substr(0, comma));
    const size_t dash = part.find('-');
    const int64_t first = whole_number(trim_number(part.substr(0, dash)));
    const int64_t last = dash == part.npos ? first : whole_number(trim_number(part.substr(dash + 1)));
    const std::string quoted = "'" + std::string(part) + "'";
    if (first < 0 || last < 0) refuse(quoted + " is no number from 0 to 2147483647 and no range of them");
    if (last < first) refuse("the range " + quoted + " ends before it begins");
    for (const Range& other : ranges_)
      if (first <= other.last && other.first <= last)
        refuse(std::to_string(std::max(first, other.first)) + " is named twice");
    ranges_.push_back({first, last});
    if (comma == rest.npos) return;
    rest = rest.substr(comma + 1);
  }
}

bool NumberSet::contains(int64_t number) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.first <= number && number <= range.last; });
}

int64_t NumberSet::largest() const {
  int64_t largest = 0;
  for (const Range& range : ranges_) largest = std::max(largest, range.last);
  return largest;
}

}  // namespace fastvideo
