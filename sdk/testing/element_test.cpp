#include "sdk/testing/element.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fastvideo/tensor_view.hpp>
#include <utility>

namespace fastvideo::testing {
namespace {

TEST(Elements, RoundToTheNearestAndBack) {
  // IEEE 754 binary16 and bfloat16 by hand: one, a tie down, a tie up, the largest, the least normal and denormal.
  const std::pair<float, uint32_t> half[] = {
      {1.F, 0x3C00},       {1.F + 0x1p-11F, 0x3C00}, {1.F + 0x3p-11F, 0x3C02}, {65504.F, 0x7BFF},
      {0x1p-14F, 0x0400},  {0x1p-24F, 0x0001},       {-2.F, 0xC000},           {0.F, 0x0000},
      {0x1.FFFp0F, 0x4000}};
  for (const auto& [value, bits] : half) EXPECT_EQ(to_bits(value, kFloat16), bits) << value;
  EXPECT_EQ(to_bits(1.F + 0x1p-8F, kBFloat16), 0x3F80U);
  EXPECT_EQ(to_bits(1.F + 0x3p-8F, kBFloat16), 0x3F82U);
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) ASSERT_EQ(to_bits(from_bits(bits, kFloat16), kFloat16), bits);
  EXPECT_TRUE(std::isnan(from_bits(0xFFFF, kFloat16)) && std::isnan(from_bits(0xFFFF, kBFloat16)));
}

}  // namespace
}  // namespace fastvideo::testing
