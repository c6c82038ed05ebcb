// Capital letters, digits and a few signs as 5 x 7 pixels, for labels in a video.
#pragma once

#include <array>
#include <cstdint>

namespace fastvideo::host {

inline constexpr int kGlyphWidth = 5;
inline constexpr int kGlyphHeight = 7;

/// The rows of a character from the top; bit 4 is the left pixel. Small letters are shown as capitals, characters that
/// the font does not have as a box.
std::array<uint8_t, kGlyphHeight> glyph(char character);

}  // namespace fastvideo::host
