// What the Hopper kernel would walk, without a GPU: every query once, with the keys that the definition lets it see.
#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "plugins/attention/common/hopper/walk.hpp"
#include "plugins/attention/sliding_tile_attn/tests/options.hpp"
#include "plugins/attention/sliding_tile_attn/tests/problem.hpp"

namespace fastvideo::sliding_tile {
namespace {

Settings settings_of(const GivenOptions& options) {
  return Settings(Options(options.get().data(), static_cast<uint32_t>(options.get().size())));
}

fv_attention_site site_of(const ProblemSize& p, int32_t layers) {
  fv_attention_site site{};
  site.struct_size = sizeof(site);
  site.role = FV_ROLE_DIT_JOINT;
  site.dtype = kBFloat16;
  site.head_size = 64;
  site.query_heads = site.kv_heads = site.total_heads = static_cast<int32_t>(p.heads);
  site.layers = layers;
  site.batch = p.batch;
  site.query_length = site.key_length = p.tokens();
  site.scale = 1;
  std::copy(p.grid.axis.begin(), p.grid.axis.end(), site.grid);
  site.tokens_before = p.before;
  site.tokens_after = p.after;
  return site;
}

// Walks a call as `stride` blocks of the kernel would, and compares with the definition for every pair.
template <int kWidth>
void expect_definition(const ProblemSize& p, const SitePlan& plan, int rows, const fv_attention_args& args,
                       const std::vector<Extent>& windows, int stride) {
  using KeyBlocks = hopper::ListedKeyBlocks<kWidth>;
  const Tables tables(plan, rows, kWidth);
  const Lists lists = tables.at(tables.image().data(), args);
  const hopper::ListScheduler scheduler{lists.query_blocks, lists.query_block_count, static_cast<int>(p.heads),
                                        static_cast<int>(p.batch)};
  const typename KeyBlocks::Data data{lists.key_blocks, lists.lists, lists.lists_of_window, lists.windows,
                                      p.key_lengths.empty() ? nullptr : p.key_lengths.data()};
  fv_attention_plan_info info{};
  plan.describe(info);
  const auto raster = [&](int64_t position) {
    const int64_t at = position - p.before;
    return at < 0 || at >= p.video() ? position : p.before + info.token_order[at];
  };
  std::map<std::array<int, 3>, std::vector<int>> seen;  // keys of a batch row, head and query
  for (int first = 0; first < stride; ++first)
    for (hopper::Walk<KeyBlocks> walk(scheduler, data, first, stride); !walk.done(); walk.next_tile()) {
      const hopper::ListedTile tile = walk.tile();
      const int end = scheduler.end_of(tile);
      ASSERT_LE(end - tile.first_query, rows);
      std::vector<int> keys(static_cast<size_t>(p.tokens()));
      for (;;) {
        const hopper::KeyBlock block = walk.block();
        ASSERT_GE(block.count, p.key_lengths.empty() ? 1 : 0);
        ASSERT_LE(block.count, kWidth);
        for (int j = 0; j < block.count; ++j) ++keys.at(static_cast<size_t>(block.first) + static_cast<size_t>(j));
        const int keys_of_row = p.key_lengths.empty() ? INT32_MAX : p.key_lengths[static_cast<size_t>(tile.batch)];
        ASSERT_EQ(walk.blocks().clear_behind(block), block.first + kWidth > keys_of_row);
        if (walk.last()) break;
        walk.next_block();
      }
      for (int i = tile.first_query; i < end; ++i)
        ASSERT_TRUE(seen.insert({{tile.batch, tile.head, i}, keys}).second) << "query " << i << " twice";
    }
  ASSERT_EQ(seen.size(), static_cast<size_t>(p.batch * p.heads * p.tokens()));
  for (const auto& [query, keys] : seen) {
    const auto [batch, head, i] = query;
    const int64_t exist = p.key_lengths.empty() ? p.tokens() : p.key_lengths[static_cast<size_t>(batch)];
    for (int64_t j = 0; j < p.tokens(); ++j)
      ASSERT_EQ(keys[static_cast<size_t>(j)],
                j < exist && sees(p, windows[static_cast<size_t>(head)], raster(i), raster(j)) ? 1 : 0)
          << p.text() << ", head " << head << ", " << i << " to " << j;
  }
}

TEST(Tables, HoldWhatTheDefinitionLetsThrough) {
  std::mt19937 random(1);
  const auto up_to = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(random); };
  for (int i = 0; i < 24; ++i) {
    ProblemSize p{.grid = {{up_to(5), up_to(7), up_to(8)}}, .tile = {{up_to(3), up_to(5), up_to(6)}}};
    p.before = i % 3 == 0 ? 9 : 0;
    p.after = i % 2 == 0 ? 0 : 300;
    p.heads = 2;
    p.batch = 2;
    if (p.after > 0 && i % 4 == 1)
      p.key_lengths = {static_cast<int32_t>(p.tokens() - 250), static_cast<int32_t>(p.tokens())};
    const Extent window{{up_to(5), up_to(5), up_to(5)}};
    GivenOptions options;
    const Settings settings = settings_of(options.string("tile", to_text(p.tile)).string("window", to_text(window)));
    const SitePlan plan(settings, site_of(p, 1));
    const fv_attention_args args{};
    const std::vector<Extent> windows(2, window);
    expect_definition<128>(p, plan, 128, args, windows, 1 + i % 5);
    expect_definition<16>(p, plan, 24, args, windows, 3);  // many blocks of a run
  }
}

TEST(Tables, FollowStepLayerAndHead) {
  const ProblemSize p{.grid = {{4, 5, 6}}, .tile = {{1, 2, 3}}, .after = 20, .heads = 3};
  const Extent full{{4, 3, 2}}, kinds[] = {{{3, 1, 1}}, {{1, 3, 1}}, full, {{1, 1, 1}}};
  StrategyTable table;
  table.add("tile", {1, 2, 3});
  for (int64_t s = 0; s < 2; ++s)
    for (int64_t l = 0; l < 2; ++l)
      for (int64_t h = 0; h < 3; ++h) table.add(s, l, h, kinds[(s + 2 * l + 3 * h) % 4]);
  GivenOptions options;
  const Settings settings = settings_of(options.strategy(table).string("steps", "rescale"));
  const SitePlan plan(settings, site_of(p, 2));
  for (int32_t s = 0; s < 4; ++s)
    for (int32_t l = 0; l < 2; ++l) {
      fv_attention_args args{};
      args.step = s;
      args.steps = 4;
      args.layer = l;
      std::vector<Extent> windows(3);
      for (size_t h = 0; h < 3; ++h) windows[h] = kinds[(static_cast<size_t>(s / 2 + 2 * l) + 3 * h) % 4];
      expect_definition<32>(p, plan, 16, args, windows, 2);
    }
}

TEST(Tables, StoreEqualListsOnce) {
  // A full window in a strategy: all tiles share one list.
  const ProblemSize p{.grid = {{4, 8, 8}}, .tile = {{1, 1, 1}}, .heads = 1};
  StrategyTable table;
  table.add("tile", {1, 1, 1}).add(0, 0, 0, {{4, 8, 8}});
  GivenOptions options;
  const Settings settings = settings_of(options.strategy(table));
  const SitePlan plan(settings, site_of(p, 1));
  const Tables tables(plan, 128, 128);
  EXPECT_LT(tables.image().size(),
            256U * (12 + 8 + 8) + 4 * 256);  // query blocks, lists of two windows, two key blocks
}

}  // namespace
}  // namespace fastvideo::sliding_tile
