// The reasons with which sites are refused for FlashAttention's operators.
#include "plugins/attention/flash_attn/torch_run.hpp"

#include <gtest/gtest.h>

#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo::flash_torch {
namespace {

std::string refusal(void (*change)(fv_attention_site&)) {
  fv_attention_site site = wan_site();
  change(site);
  return reason_against(site);
}

TEST(FlashTorch, TakesWhatTheOperatorsTake) {
  EXPECT_EQ(reason_against(wan_site()), "");
  EXPECT_EQ(refusal([](auto& s) { s.head_size = 8; }), "");
  EXPECT_EQ(refusal([](auto& s) { s.head_size = 256; }), "");
  EXPECT_EQ(refusal([](auto& s) { s.dtype = kFloat16; }), "");
  EXPECT_EQ(refusal([](auto& s) { s.kv_heads = 3; }), "");
  EXPECT_EQ(refusal([](auto& s) { s.masks = FV_MASK_KEY_LENGTHS; }), "");
}

TEST(FlashTorch, RefusesWithTheReason) {
  EXPECT_EQ(refusal([](auto& s) { s.masks = FV_MASK_BIAS; }), "no masks but key lengths");
  EXPECT_EQ(refusal([](auto& s) { s.dtype = kFloat32; }), "bfloat16 and float16, not float32");
  EXPECT_EQ(refusal([](auto& s) { s.head_size = 264; }), "head sizes from 8 to 256 in multiples of 8, not 264");
  EXPECT_EQ(refusal([](auto& s) { s.head_size = 100; }), "head sizes from 8 to 256 in multiples of 8, not 100");
  EXPECT_EQ(refusal([](auto& s) { s.kv_heads = 5; }), "12 query heads cannot share 5 key heads");
  EXPECT_EQ(refusal([](auto& s) { s.key_length = int64_t{1} << 30, s.batch = 2; }),
            "at most 2147483647 tokens in 2 + 1 rows, not 1073741824 in each");
}

TEST(FlashTorch, CountsTheArithmetic) { EXPECT_DOUBLE_EQ(operations(wan_site()), 4.0 * 12 * 128 * 32760 * 32760); }

}  // namespace
}  // namespace fastvideo::flash_torch
