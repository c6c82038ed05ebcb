// SPARSE_ATTN/sm90's answers about sites. The test runs without a GPU; tests/device_check.cpp runs the kernels on one.
#include <gtest/gtest.h>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/sparse_attn/tests/options.hpp"

namespace fastvideo::sparse {
namespace {

TEST(SparseSm90, TakesBothHeadSizesAndTypes) {
  GivenOptions options;
  AttentionLibrary library(SPARSE_ATTN_SM90_LIBRARY, options.number("share", 0.1).get());
  for (const int32_t size : {64, 128})
    for (const fv_dtype dtype : {kBFloat16, kFloat16}) {
      fv_attention_site site = wan_site();
      site.head_size = size;
      site.dtype = dtype;
      site.require = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;
      EXPECT_TRUE(library.supports(site)) << library.message();
      EXPECT_EQ(library.message(), size == 64 ? "share 0.1 of blocks of 128 keys, tokens in boxes of 4x4x8"
                                              : "share 0.1 of blocks of 144 keys, tokens in boxes of 4x6x6");
    }
}

TEST(SparseSm90, RefusesWithTheReason) {
  GivenOptions options;
  AttentionLibrary library(SPARSE_ATTN_SM90_LIBRARY, options.get());
  const auto refusal = [&](auto change) {
    fv_attention_site site = wan_site();
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  EXPECT_EQ(refusal([](auto& s) { s.device.type = FV_DEVICE_CPU; }), "runs on a Hopper GPU");
  EXPECT_NE(refusal([](auto& s) { s.head_size = 96; }).find("head size 96"), std::string::npos);
  EXPECT_NE(refusal([](auto& s) { s.dtype = kFloat32; }).find("no kernel for float32"), std::string::npos);
  EXPECT_EQ(refusal([](auto& s) {
              s.grid[0] = 300;
              s.query_length = s.key_length = 300 * 30 * 52;
            }),
            "468000 tokens; at most 460800");
  EXPECT_EQ(refusal([](auto& s) { s.batch = 70000; }),
            "batch 70000 and 12 heads: a launch holds at most 65535 of each");
}

TEST(SparseSm90, AWidthOfKeyBlocksIsOfSomeHeadSizes) {
  GivenOptions options;
  AttentionLibrary library(SPARSE_ATTN_SM90_LIBRARY, options.string("key_block", "144").get());
  fv_attention_site site = wan_site();
  EXPECT_TRUE(library.supports(site)) << library.message();
  site.head_size = 64;
  EXPECT_FALSE(library.supports(site));
  EXPECT_NE(library.message().find("key_block = \"144\""), std::string::npos) << library.message();
}

}  // namespace
}  // namespace fastvideo::sparse
