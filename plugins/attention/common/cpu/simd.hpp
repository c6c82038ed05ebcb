// Vectors of floats through GCC's and Clang's vector extensions: the same source for every instruction set.
#pragma once

#include <cstdint>
#include <cstring>

namespace fastvideo::cpu {

template <int kLanes>
struct Simd {
  using Floats __attribute__((vector_size(kLanes * sizeof(float)))) = float;
  using Ints __attribute__((vector_size(kLanes * sizeof(int32_t)))) = int32_t;
};
template <int kLanes>
using Floats = typename Simd<kLanes>::Floats;

/// The most negative exponent that exp2 below computes; smaller exponents give 0.
constexpr float kSmallestExponent = -127.0F;

/// 2^x for x <= 0, in place, with a relative error of 2e-7. -inf gives 0 and NaN stays NaN.
/// 2^x = 2^n 2^f with n the nearest integer and |f| <= 1/2; 2^f by its Taylor series, whose next term is 1.2e-7.
template <int kLanes>
[[gnu::always_inline]] inline void exp2_in_place(Floats<kLanes>& x) {
  using Ints = typename Simd<kLanes>::Ints;
  x = x < kSmallestExponent ? Floats<kLanes>{} + kSmallestExponent : x;
  const Floats<kLanes> shift = Floats<kLanes>{} + 0x1.8p23F;  // adding it rounds to an integer, in the low bits
  const Floats<kLanes> shifted = x + shift;
  const Floats<kLanes> f = x - (shifted - shift);
  Floats<kLanes> p = Floats<kLanes>{} + 1.5403530e-4F;
  p = p * f + 1.3333558e-3F;
  p = p * f + 9.6181291e-3F;
  p = p * f + 5.5504109e-2F;
  p = p * f + 2.4022651e-1F;
  p = p * f + 6.9314718e-1F;
  p = p * f + 1.0F;
  Ints n;
  std::memcpy(&n, &shifted, sizeof(n));
  n = (n + 127) << 23;  // the exponent field of 2^n; the other bits of shifted fall off at the left
  Floats<kLanes> scale;
  std::memcpy(&scale, &n, sizeof(scale));
  x = p * scale;
}

}  // namespace fastvideo::cpu
