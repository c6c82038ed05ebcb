// Sites that a pipeline cannot mean are refused with the number at fault.
#include "host/selection/attention_contract.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <initializer_list>
#include <stdexcept>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using Change = std::function<void(fv_attention_site&)>;

// What the site, changed, is refused with; empty if it can be.
std::string refusal_of(const Change& change) {
  fv_attention_site site = test::site(FV_ROLE_DIT_SELF);
  change(site);
  try {
    require_possible(&site);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

TEST(AttentionContract, TakesASiteOfEachMask) {
  using List = std::initializer_list<uint32_t>;
  for (const uint32_t mask : List{FV_MASK_CAUSAL, FV_MASK_FRAME_CAUSAL, FV_MASK_KEY_LENGTHS | FV_MASK_BIAS,
                                  FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN})
    EXPECT_EQ(refusal_of([&](fv_attention_site& site) { site.masks = mask; }), "") << mask;
}

TEST(AttentionContract, RefusesWhatNoSiteCanBe) {
  const std::pair<Change, const char*> cases[] = {
      {[](fv_attention_site& s) { s.scale = 0; }, "has a scale of 0.000000; scales are finite and above 0"},
      {[](fv_attention_site& s) { s.scale = -0.5; }, "has a scale of -0.500000; scales are finite and above 0"},
      {[](fv_attention_site& s) { s.scale = NAN; }, "scales are finite and above 0"},
      {[](fv_attention_site& s) { s.scale = INFINITY; }, "has a scale of inf; scales are finite and above 0"},
      {[](fv_attention_site& s) { s.masks = FV_MASK_BOOLEAN | FV_MASK_BIAS; },
       "has a boolean mask and a bias; a call carries one of them"},
      {[](fv_attention_site& s) { s.masks = 1U << 20; }, "has the unknown mask 1048576"},
      {[](fv_attention_site& s) { s.require = uint64_t{1} << 40; }, "has the unknown requirement 1099511627776"},
      {[](fv_attention_site& s) { s.query_heads = 3, s.kv_heads = 2; },
       "has 3 query heads, no multiple of its 2 key heads"},
      {[](fv_attention_site& s) { s.head_size = 0; }, "has the head size 0, at least 1 is possible"},
      {[](fv_attention_site& s) { s.key_length = 0; }, "ask for a larger or longer video"},
      {[](fv_attention_site& s) { s.input_count = 2; }, "counts 2 further inputs and does not name them"},
  };
  for (const auto& [change, words] : cases)
    EXPECT_TRUE(test::contains(refusal_of(change), words)) << refusal_of(change);
  EXPECT_THROW(require_possible(nullptr), std::runtime_error);
}

}  // namespace
}  // namespace fastvideo::host
