// bfloat16 and float16 as bits, to and from float. Branch-free, so that loops over rows become vector instructions.
#pragma once

#include <bit>
#include <cstdint>

namespace fastvideo::cpu {

struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

inline float to_float(float x) { return x; }

inline float to_float(BFloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

inline float to_float(Float16 x) {
  const uint32_t sign = uint32_t{x.bits & 0x8000u} << 16, magnitude = x.bits & 0x7FFFu;
  // The exponent is rebased by a multiplication, which treats denormals right; infinities and NaN by hand.
  const float finite = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  const uint32_t special = magnitude >= 0x7C00u ? 0x7F800000u | (magnitude << 13) : std::bit_cast<uint32_t>(finite);
  return std::bit_cast<float>(sign | special);
}

template <class T>
T from_float(float x);

template <>
inline float from_float<float>(float x) {
  return x;
}

/// Rounds to nearest, ties to even; a NaN stays a NaN.
template <>
inline BFloat16 from_float<BFloat16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
  return {static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? (bits >> 16) | 0x40u : rounded)};
}

/// Rounds to nearest, ties to even; numbers that are too large become infinite; a NaN stays a NaN.
template <>
inline Float16 from_float<Float16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  // Below 2^-14 the result is a denormal: adding 0.5 makes the adder round at its last place, 2^-24.
  const uint32_t denormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0x0FFFu + ((magnitude >> 13) & 1)) >> 13;
  const uint32_t finite = magnitude < 0x38800000u ? denormal : normal;
  const uint32_t special = magnitude > 0x7F800000u ? 0x7E00u : magnitude >= 0x477FF000u ? 0x7C00u : finite;
  return {static_cast<uint16_t>(sign | special)};
}

}  // namespace fastvideo::cpu
