// Sizes along the three axes of a video: of a grid in tokens or in tiles, of a tile in tokens, of a window in tiles.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fastvideo {

/// (frames, rows, columns).
struct Extent {
  std::array<int64_t, 3> axis{};

  int64_t operator[](size_t i) const { return axis[i]; }
  int64_t& operator[](size_t i) { return axis[i]; }
  int64_t volume() const { return axis[0] * axis[1] * axis[2]; }
  bool operator==(const Extent&) const = default;
};

/// "6x8x8"
std::string to_text(const Extent& extent);

/// Reads "6x8x8": three whole numbers from 1 to 2147483647. Throws Refused with the option, the text and its fault.
Extent parse_extent(std::string_view option, std::string_view text);

/// whole / part, rounded up.
constexpr int64_t ceil_div(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

}  // namespace fastvideo
