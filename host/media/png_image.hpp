// One picture as the bytes of a PNG file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fastvideo::host {

/// 8 bits RGB. pixels: [height, width, 3]. Fast rather than small. Throws std::runtime_error with libpng's words.
std::vector<uint8_t> encode_png(int width, int height, std::span<const uint8_t> pixels);

}  // namespace fastvideo::host
