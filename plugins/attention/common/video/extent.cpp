#include "plugins/attention/common/video/extent.hpp"

#include <charconv>
#include <fastvideo/core.hpp>

namespace fastvideo {

std::string to_text(const Extent& extent) {
  return std::to_string(extent[0]) + "x" + std::to_string(extent[1]) + "x" + std::to_string(extent[2]);
}

Extent parse_extent(std::string_view option, std::string_view text) {
  const auto refuse = [&](const std::string& why) -> Refused {
    return Refused(std::string(option) + " = \"" + std::string(text) + "\": " + why +
                   "; write frames, rows and columns as three whole numbers of at least 1, such as \"3x3x3\"");
  };
  Extent extent;
  std::string_view rest = text;
  for (size_t i = 0; i < 3; ++i) {
    const size_t end = i < 2 ? rest.find('x') : rest.size();
    if (end == rest.npos) throw refuse("has " + std::to_string(i + 1) + " of three sizes");
    const std::string_view part = rest.substr(0, end);
    int32_t number = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    const std::string quoted = "'" + std::string(part) + "'";
    if (error != std::errc{} || stop != part.data() + part.size())
      throw refuse(quoted + " is no whole number up to 2147483647");
    if (number < 1) throw refuse(quoted + " is less than 1");
    extent[i] = number;
    rest = i < 2 ? rest.substr(end + 1) : std::string_view{};
  }
  return extent;
}

}  // namespace fastvideo
