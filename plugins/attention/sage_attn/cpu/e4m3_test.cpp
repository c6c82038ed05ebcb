// e4m3 against its definition: all 254 numbers, and for others the nearest of them.
#include "plugins/attention/sage_attn/cpu/e4m3.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace fastvideo::sage {
namespace {

// Micikevicius et al. 2022, table 1: 2^-6 m / 8 below the first exponent, then 2^(e - 7) (1 + m / 8).
double number_of(int code) {
  const int exponent = code / 8, mantissa = code % 8;
  return exponent == 0 ? mantissa / 8.0 * 0x1p-6 : std::pow(2.0, exponent - 7) * (1 + mantissa / 8.0);
}

// By search among all numbers; at a tie the even code.
int nearest(double x) {
  int best = 0;
  for (int code = 1; code < 127; ++code) {
    const double closer = std::fabs(number_of(code) - x) - std::fabs(number_of(best) - x);
    if (closer < 0 || (closer == 0 && code % 2 == 0)) best = code;
  }
  return best;
}

TEST(E4M3, EveryNumberComesBack) {
  EXPECT_EQ(number_of(126), 448);
  for (int code = 0; code < 127; ++code) {
    EXPECT_EQ(from_e4m3(static_cast<uint8_t>(code)), number_of(code));
    EXPECT_EQ(from_e4m3(static_cast<uint8_t>(code | 128)), -number_of(code));
    EXPECT_EQ(to_e4m3(static_cast<float>(number_of(code))), code);
    EXPECT_EQ(to_e4m3(static_cast<float>(-number_of(code))), code | 128);
  }
}

TEST(E4M3, RoundsToTheNearestTiesToEven) {
  std::mt19937 random(1);
  std::vector<float> inputs{0x1p-10F, 0x1.8p-9F, 0x1p-100F, 464, 465, 1e30F, INFINITY};
  for (int code = 0; code < 126; ++code)
    inputs.push_back(static_cast<float>((number_of(code) + number_of(code + 1)) / 2));
  std::uniform_real_distribution<float> exponent(-12, 10);
  for (int i = 0; i < 20000; ++i) inputs.push_back(std::exp2(exponent(random)));
  for (const float x : inputs) {
    const int expected = nearest(std::min(double{x}, 448.0));
    ASSERT_EQ(to_e4m3(x), expected) << x;
    ASSERT_EQ(to_e4m3(-x), expected | 128) << x;
    ASSERT_EQ(round_to_e4m3(x), number_of(expected)) << x;
    ASSERT_EQ(round_to_e4m3(-x), -number_of(expected)) << x;
  }
}

TEST(E4M3, KeepsNaN) {
  EXPECT_TRUE(std::isnan(round_to_e4m3(NAN)));
  EXPECT_EQ(to_e4m3(NAN) & 127, 127);
  EXPECT_TRUE(std::isnan(from_e4m3(0x7F)));
  EXPECT_TRUE(std::isnan(from_e4m3(0xFF)));
}

}  // namespace
}  // namespace fastvideo::sage
