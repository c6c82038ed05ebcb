#include "sdk/testing/host_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fastvideo/tensor_view.hpp>

namespace fastvideo::testing {
namespace {

uint16_t bits_of(fv_dtype dtype, double value) {
  HostTensor one(dtype, {1, 1, 1, 1});
  one.set({0, 0, 0, 0}, value);
  uint16_t bits = 0;
  std::memcpy(&bits, data_of(*one.tensor()), sizeof bits);
  return bits;
}

TEST(HostTensor, RoundsAsIeee754Says) {
  EXPECT_EQ(bits_of(kBFloat16, 1.0), 0x3F80);
  EXPECT_EQ(bits_of(kBFloat16, -2.5), 0xC020);
  EXPECT_EQ(bits_of(kBFloat16, 1.0 + 1.0 / 256), 0x3F80);  // half way: to even
  EXPECT_EQ(bits_of(kBFloat16, 1.0 + 3.0 / 256), 0x3F82);  // half way: to even
  EXPECT_EQ(bits_of(kBFloat16, 1.9999), 0x4000);           // up to the next power of two
  EXPECT_EQ(bits_of(kFloat16, 1.0), 0x3C00);
  EXPECT_EQ(bits_of(kFloat16, -0.1), 0xAE66);
  EXPECT_EQ(bits_of(kFloat16, std::ldexp(1.0, -24)), 0x0001);  // the smallest subnormal number
  EXPECT_EQ(bits_of(kFloat16, 0.0), 0x0000);
  EXPECT_EQ(bits_of(kFloat16, 65504), 0x7BFF);  // the largest number
}

TEST(HostTensor, ReadsBackEveryNumberOfSixteenBits) {
  for (const fv_dtype dtype : {kFloat16, kBFloat16}) {
    HostTensor one(dtype, {1, 1, 1, 1});
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto wanted = static_cast<uint16_t>(bits);
      std::memcpy(data_of(*one.tensor()), &wanted, sizeof wanted);
      const double value = one.get({0, 0, 0, 0});
      if (std::isfinite(value)) {
        ASSERT_EQ(bits_of(dtype, value), wanted);
      }
    }
  }
}

TEST(HostTensor, KeepsTheRuleOfSixteenBytes) {
  for (const fv_dtype dtype : {kFloat64, kFloat32, kFloat16, kBFloat16, kBool})
    for (const Layout layout : {Layout::dense, Layout::padded, Layout::heads_first}) {
      HostTensor x(dtype, {2, 3, 4, 5}, layout);
      const fv_tensor& tensor = *x.tensor();
      EXPECT_EQ(reinterpret_cast<uintptr_t>(data_of(tensor)) % 16, 0u);
      EXPECT_EQ(tensor.strides[3], 1);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(tensor.strides[i] * dtype.bits / 8 % 16, 0);
      EXPECT_TRUE(x.gaps_untouched());
      for (int64_t a = 0; a < 2; ++a)
        for (int64_t b = 0; b < 3; ++b)
          for (int64_t c = 0; c < 4; ++c)
            for (int64_t d = 0; d < 5; ++d)
              x.set({a, b, c, d}, dtype.code == FV_BOOL ? 1 : static_cast<double>(d + 5 * (c + 4 * (b + 3 * a))));
      EXPECT_TRUE(x.gaps_untouched());
      if (dtype.code != FV_BOOL) {
        EXPECT_EQ(x.get({1, 2, 3, 4}), 119);  // no two elements share a place
      }
      EXPECT_EQ(x.get({0, 0, 0, 1}), 1);
    }
}

}  // namespace
}  // namespace fastvideo::testing
