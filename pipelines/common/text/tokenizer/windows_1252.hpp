// The characters that windows-1252 has where Unicode and Latin-1 have the C1 controls.
#pragma once

#include <array>
#include <cstdint>

namespace fastvideo {

/// The character of a byte from 0x80 to 0x9F; the five that windows-1252 leaves open stay controls, as in browsers.
inline char32_t windows_1252(uint32_t byte) {
  static constexpr std::array<char32_t, 32> kCharacters = {
      0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
      0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
  return kCharacters[byte - 0x80];
}

}  // namespace fastvideo
