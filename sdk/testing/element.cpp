#include "sdk/testing/element.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace fastvideo::testing {
namespace {

uint32_t to_float16(float value) {
  const uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  // A step of float16 is 2^(exponent - 10), and 2^-24 for subnormal numbers; nearbyint rounds ties to even.
  const float size = std::fabs(value);
  if (size == 0) return sign;
  int exponent = 0;
  std::frexp(size, &exponent);
  const int step = std::max(exponent - 11, -24);
  const auto steps = static_cast<uint32_t>(std::nearbyint(std::ldexp(size, -step)));
  // The count of steps of a subnormal number carries into the exponent's bits.
  return sign | (static_cast<uint32_t>(step + 24) * 0x400U + steps);
}

float of_float16(uint32_t bits) {
  const uint32_t exponent = bits >> 10 & 0x1FU, mantissa = bits & 0x3FFU;
  float size = 0;
  if (exponent == 0x1FU)
    size = mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  else if (exponent == 0)
    size = std::ldexp(static_cast<float>(mantissa), -24);
  else
    size = std::ldexp(static_cast<float>(mantissa + 0x400U), static_cast<int>(exponent) - 25);
  return (bits & 0x8000U) != 0 ? -size : size;
}

}  // namespace

uint32_t to_bits(float value, fv_dtype dtype) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (dtype.bits == 32) return bits;
  if (dtype.code == FV_BFLOAT) return (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  return to_float16(value);
}

float from_bits(uint32_t bits, fv_dtype dtype) {
  if (dtype.bits == 32) return std::bit_cast<float>(bits);
  if (dtype.code == FV_BFLOAT) return std::bit_cast<float>(bits << 16);
  return of_float16(bits);
}

float Elements::at(size_t i) const {
  uint32_t bits = 0;
  std::memcpy(&bits, bytes_.data() + i * (dtype_.bits / 8U), dtype_.bits / 8U);  // little-endian
  return from_bits(bits, dtype_);
}

void Elements::set(size_t i, float value) {
  const uint32_t bits = to_bits(value, dtype_);
  std::memcpy(bytes_.data() + i * (dtype_.bits / 8U), &bits, dtype_.bits / 8U);
}

}  // namespace fastvideo::testing
