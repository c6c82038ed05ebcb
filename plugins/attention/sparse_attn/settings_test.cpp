// SPARSE_ATTN's options: their meaning, and refusals.
#include "plugins/attention/sparse_attn/settings.hpp"

#include <gtest/gtest.h>

#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/sparse_attn/tests/options.hpp"

namespace fastvideo::sparse {
namespace {

Settings settings_of(GivenOptions& options) {
  return Settings(Options(options.get().data(), static_cast<uint32_t>(options.get().size())));
}

std::string refusal_of(GivenOptions& options) {
  try {
    settings_of(options);
  } catch (const Refused& refused) {
    return refused.what();
  }
  return "taken";
}

TEST(SparseSettings, ShareOrMassAndNotBoth) {
  GivenOptions nothing, share, mass, both;
  EXPECT_EQ(settings_of(nothing).share, kDefaultShare);
  EXPECT_EQ(settings_of(share.number("share", 0.1)).expected_share(), 0.1);
  const Settings by_mass = settings_of(mass.number("mass", 0.9));
  EXPECT_EQ(by_mass.expected_share(), 0.9);
  EXPECT_EQ(by_mass.routing(wan_site(), 128, 128).share, 0);
  EXPECT_EQ(refusal_of(both.number("share", 0.1).number("mass", 0.9)),
            "share = 0.1 and mass = 0.9 both say how many key blocks are visited; leave one of them out");
}

TEST(SparseSettings, OptionsOfTheOtherWayToSelectAreRefused) {
  GivenOptions share, threshold, sinks, plain, unknown;
  share.string("select", "threshold").number("share", 0.2);
  EXPECT_EQ(refusal_of(share),
            "share says nothing with select = \"threshold\"; leave it out, or set select = \"routed\"");
  threshold.number("threshold", 0.01);
  EXPECT_EQ(refusal_of(threshold),
            "threshold says nothing with select = \"routed\"; leave it out, or set select = \"threshold\"");
  sinks.string("select", "threshold").integer("sink_tokens", 3);
  EXPECT_EQ(refusal_of(sinks).substr(0, 29), "sink_tokens = 3 says nothing ");
  plain.string("select", "threshold");
  EXPECT_EQ(settings_of(plain).threshold, kDefaultThreshold);
  EXPECT_FALSE(settings_of(plain).is_dense());
  EXPECT_EQ(settings_of(plain).describe(wan_site(), 176),
            "blocks of 176 keys above 0.001 of the largest weight, tokens in boxes of 4x4x11");
  EXPECT_EQ(refusal_of(unknown.string("select", "best")), "select is routed or threshold, not best");
}

TEST(SparseSettings, OneIsDense) {
  GivenOptions share, mass, less;
  EXPECT_TRUE(settings_of(share.number("share", 1)).is_dense());
  EXPECT_TRUE(settings_of(mass.number("mass", 1)).is_dense());
  EXPECT_FALSE(settings_of(less.number("share", 0.99)).is_dense());
}

TEST(SparseSettings, RefusesSitesWithTheReason) {
  GivenOptions given;
  given.integer("sink_tokens", 40000).string("dense_layers", "");
  const Settings sinks = settings_of(given);
  EXPECT_EQ(sinks.refuses(wan_site()), "sink_tokens = 40000, and the video has 32760 tokens");
  GivenOptions layers, steps;
  const Settings layer = settings_of(layers.string("dense_layers", "0,30"));
  EXPECT_EQ(layer.refuses(wan_site()), "dense_layers names layer 30, and the model has 30, the last one 29");
  const Settings step = settings_of(steps.integer("dense_steps", 12));
  EXPECT_EQ(step.refuses_steps(10), "dense_steps = 12, and this run has 10 steps");
  EXPECT_FALSE(step.refuses_steps(12));
  EXPECT_FALSE(step.refuses_steps(0));

  GivenOptions plain;
  const Settings any = settings_of(plain);
  const auto says = [&](auto change) {
    fv_attention_site site = wan_site();
    change(site);
    return any.refuses(site).value_or("taken");
  };
  EXPECT_EQ(says([](auto&) {}), "taken");
  EXPECT_EQ(says([](auto& s) { s.role = FV_ROLE_DIT_CROSS; }),
            "chooses among video tokens (dit.self, dit.joint), not dit.cross");
  EXPECT_EQ(says([](auto& s) { s.grid[1] = 0; }),
            "needs the grid of the video tokens (frames, rows, columns), and this site has none");
  EXPECT_EQ(says([](auto& s) { s.grid[1] = 31; }),
            "a grid of 21x31x52 with 0 tokens before and 0 after it must be all 32760 tokens");
  EXPECT_EQ(says([](auto& s) { s.tokens_after = 32761; }),
            "a grid of 21x30x52 with 0 tokens before and 32761 after it must be all 32760 tokens");
  EXPECT_EQ(says([](auto& s) { s.key_length = 512; }), "32760 queries and 512 keys are not one sequence");
  EXPECT_EQ(says([](auto& s) { s.masks = FV_MASK_BIAS; }), "no masks but key lengths");
}

TEST(SparseSettings, SaysWhatWillHappen) {
  GivenOptions given;
  given.number("share", 0.2).integer("sink_tokens", 1560).integer("dense_steps", 10).string("dense_layers", "0");
  EXPECT_EQ(settings_of(given).describe(wan_site(), 144),
            "share 0.2 of blocks of 144 keys, tokens in boxes of 4x6x6, 1560 sink tokens, the first 10 steps dense, "
            "some layers dense");
  GivenOptions raster;
  EXPECT_EQ(settings_of(raster.number("mass", 0.95).string("tile", "raster")).describe(wan_site(), 128),
            "mass 0.95 of blocks of 128 keys, tokens in raster order");
  GivenOptions bad;
  EXPECT_EQ(refusal_of(bad.string("tile", "4x4")).substr(0, 13), "tile = \"4x4\":");
}

}  // namespace
}  // namespace fastvideo::sparse
