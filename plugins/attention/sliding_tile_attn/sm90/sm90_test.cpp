// SLIDING_TILE_ATTN/sm90's answers about sites. The test runs without a GPU; tests/device_check.cpp runs the kernels on
// one.
#include <gtest/gtest.h>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/sliding_tile_attn/tests/options.hpp"

namespace fastvideo::sliding_tile {
namespace {

AttentionLibrary open(GivenOptions options, const char* key_block = "auto") {
  return AttentionLibrary(SLIDING_TILE_ATTN_SM90_LIBRARY, options.string("key_block", key_block).get());
}

TEST(SlidingTileSm90, TakesBothHeadSizesAndTypes) {
  AttentionLibrary library = open(GivenOptions());
  for (const int32_t size : {64, 128})
    for (const fv_dtype dtype : {kBFloat16, kFloat16}) {
      fv_attention_site site = wan_site();
      site.head_size = size;
      site.dtype = dtype;
      site.require = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;
      EXPECT_TRUE(library.supports(site)) << library.message();
      EXPECT_EQ(library.message(), "tile 7x9x6 (3x4x9 of them), window 3x3x3, density 0.278");
    }
}

TEST(SlidingTileSm90, RefusesWithTheReason) {
  AttentionLibrary library = open(GivenOptions());
  const auto refusal = [&](auto change) {
    fv_attention_site site = wan_site();
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(says(refusal([](auto& s) { s.device.type = FV_DEVICE_CPU; }), "runs on a Hopper GPU"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.head_size = 96; }), "head size 96"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.dtype = kFloat32; }), "no kernel for float32"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.masks = FV_MASK_BOOLEAN; }), "no masks but key lengths"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.grid[2] = 0; }), "this site has none"));
  EXPECT_TRUE(says(refusal([](auto& s) { s.total_heads = 11; }), "12 heads of a model that has 11"));
}

TEST(SlidingTileSm90, AWidthOfKeyBlocksIsOfSomeHeadSizes) {
  AttentionLibrary library = open(GivenOptions(), "176");
  fv_attention_site site = wan_site();
  EXPECT_TRUE(library.supports(site)) << library.message();
  site.head_size = 64;
  EXPECT_FALSE(library.supports(site));
  EXPECT_NE(library.message().find("key_block = \"176\""), std::string::npos) << library.message();
}

}  // namespace
}  // namespace fastvideo::sliding_tile
