// e4m3: floating point in 8 bits, 4 of exponent and 3 of mantissa, no infinity, NaN 0x7F and 0xFF, the largest number
// 448 (Micikevicius et al. 2022, "FP8 formats for deep learning", table 1).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace fastvideo::sage {

constexpr float kLargestE4M3 = 448;

/// The nearest number of e4m3, ties to even; beyond the largest it is the largest. NaN stays NaN.
inline float round_to_e4m3(float x) {
  const float magnitude = std::fabs(x);
  float rounded = kLargestE4M3;
  if (magnitude < 0x1p-6F) {
    rounded = (magnitude + 0x1.8p14F) - 0x1.8p14F;  // the sum keeps multiples of 2^-9, the smallest number
  } else if (magnitude < kLargestE4M3) {
    const uint32_t bits = std::bit_cast<uint32_t>(magnitude);
    rounded = std::bit_cast<float>((bits + 0x7FFFFu + (bits >> 20 & 1)) & ~0xFFFFFu);
  } else if (std::isnan(x)) {
    return x;
  }
  return std::copysign(rounded, x);
}

inline uint8_t to_e4m3(float x) {
  const float rounded = round_to_e4m3(x), magnitude = std::fabs(rounded);
  const uint32_t sign = std::signbit(x) ? 0x80 : 0;
  if (std::isnan(x)) return static_cast<uint8_t>(sign | 0x7F);
  if (magnitude < 0x1p-6F) return static_cast<uint8_t>(sign | static_cast<uint32_t>(magnitude * 0x1p9F));
  // Sign aside the bits of a float, with another bias of the exponent: 7, not 127.
  return static_cast<uint8_t>(sign | ((std::bit_cast<uint32_t>(magnitude) >> 20) - (120U << 3)));
}

inline float from_e4m3(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                  : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  if ((code & 0x7F) == 0x7F) magnitude = NAN;
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

}  // namespace fastvideo::sage
