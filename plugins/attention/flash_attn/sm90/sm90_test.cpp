// FLASH_ATTN/sm90's answers about sites. The test runs without a GPU; tests/on_device.py checks the kernels on one.
#include <gtest/gtest.h>

#include <cstring>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/measured_shapes.hpp"
#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo {
namespace {

fv_entry tile_option(const char* tile) {
  fv_entry option{};
  option.name = "tile";
  option.value.type = FV_VALUE_STRING;
  option.value.as.string = tile;
  return option;
}

TEST(FlashAttnSm90, TakesBothHeadSizesAndTypes) {
  const fv_entry option = tile_option("auto");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  for (int32_t size : {64, 128})
    for (fv_dtype dtype : {kBFloat16, kFloat16}) {
      fv_attention_site site = wan_site();
      site.head_size = size;
      site.dtype = dtype;
      EXPECT_TRUE(library.supports(site)) << library.message();
    }
  fv_attention_site site = wan_site();
  site.kv_heads = 4;
  site.masks = FV_MASK_KEY_LENGTHS;
  site.require = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;
  EXPECT_TRUE(library.supports(site)) << library.message();
}

TEST(FlashAttnSm90, RefusesWithTheReason) {
  const fv_entry option = tile_option("auto");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  const auto refusal = [&](auto change) {
    fv_attention_site site = wan_site();
    change(site);
    return library.supports(site) ? std::string("taken") : library.message();
  };
  EXPECT_EQ(refusal([](auto& s) { s.device.type = FV_DEVICE_CPU; }), "runs on a Hopper GPU");
  EXPECT_EQ(refusal([](auto& s) { s.masks = FV_MASK_CAUSAL; }), "no masks but key lengths");
  EXPECT_EQ(refusal([](auto& s) { s.kv_heads = 5; }), "12 query heads cannot share 5 key heads");
  EXPECT_EQ(refusal([](auto& s) { s.scale = 0; }), "the scale of the scores must be positive");
  EXPECT_NE(refusal([](auto& s) { s.head_size = 96; }).find("head size 96"), std::string::npos);
  EXPECT_NE(refusal([](auto& s) { s.dtype = kFloat32; }).find("no kernel for float32"), std::string::npos);
  EXPECT_NE(refusal([](auto& s) { s.key_length = int64_t{1} << 31; }).find("at most"), std::string::npos);
}

TEST(FlashAttnSm90, PicksTheTileThatIsEstimatedToTakeLeast) {
  const fv_entry option = tile_option("auto");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  const auto tile = [&](int32_t size, int64_t keys) {
    fv_attention_site site = wan_site();
    site.head_size = size;
    site.key_length = keys;
    EXPECT_TRUE(library.supports(site));
    return library.message();
  };
  EXPECT_EQ(tile(128, 32760), "192x80x2");
  EXPECT_EQ(tile(128, 769), "128x176x2");
  EXPECT_EQ(tile(128, 512), "128x176x2");
  EXPECT_EQ(tile(64, 512), "192x128");
}

// A round that is not full costs more than a tile that does more a time gains; so does an empty tile of ten in pairs.
TEST(FlashAttnSm90, PicksTheTileByItsRounds) {
  const fv_entry option = tile_option("auto");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  const auto tile = [&](int64_t tokens) {
    EXPECT_TRUE(library.supports(self_site(FV_DEVICE_CUDA, kBFloat16, tokens, 12, 128)));
    return library.message();
  };
  EXPECT_EQ(tile(1560), "192x80");  // one round of nine tiles a head, where 128 rows take two
  EXPECT_EQ(tile(75600), "192x80x2");
}

// Within 15 % of the measured times, from 1,560 tokens to 75,600.
TEST(FlashAttnSm90, EstimatesWhatWasMeasured) {
  const fv_entry option = tile_option("auto");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  expect_estimates({{1, 12, 1560, 1560, 128, 0.0314},
                    {1, 16, 4096, 4096, 128, 0.2199},
                    {2, 24, 4592, 4592, 128, 0.8032},
                    {2, 12, 8192, 8192, 128, 1.2422},
                    {1, 24, 16384, 16384, 128, 4.746},
                    {1, 12, 32760, 32760, 128, 9.100},
                    {1, 40, 32760, 32760, 128, 30.55},
                    {1, 40, 75600, 75600, 128, 160.1},
                    {1, 12, 32760, 512, 128, 0.2057},
                    {1, 40, 32760, 769, 128, 0.963},
                    {1, 24, 8192, 8192, 64, 0.8052},
                    {1, 48, 16384, 16384, 64, 6.280},
                    {1, 32, 27280, 256, 64, 0.1709}},
                   [&](const fv_attention_site& site) {
                     EXPECT_TRUE(library.supports(site)) << library.message();
                     return library.score();
                   });
}

TEST(FlashAttnSm90, ATileIsOfOneHeadSize) {
  const fv_entry option = tile_option("192x128");
  AttentionLibrary library(FLASH_ATTN_SM90_LIBRARY, {&option, 1});
  EXPECT_FALSE(library.supports(wan_site()));
  EXPECT_NE(library.message().find("tile '192x128'"), std::string::npos) << library.message();
}

}  // namespace
}  // namespace fastvideo
