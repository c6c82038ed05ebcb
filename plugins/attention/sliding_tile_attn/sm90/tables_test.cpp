// The walk of the Hopper kernel, without a GPU: every query once, with the keys that the definition lets it see.
#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
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

// Jobs drawn from a counter that several walks share.
struct CountedJobs {
  int* counter;
  int next(int) { return (*counter)++; }
};

hopper::ListScheduler scheduler_of(const Lists& lists, int64_t batch) {
  hopper::ListScheduler scheduler = lists.scheduler;
  scheduler.batch = static_cast<int>(batch);
  return scheduler;
}

// Walks a call as `blocks` blocks of the kernel would, in any order among them, and compares with the definition for
// every pair.
template <int kWidth, bool kLengths>
void expect_walk(const ProblemSize& p, const SitePlan& plan, int rows, const fv_attention_args& args,
                 const std::vector<Extent>& windows, int blocks) {
  using KeyBlocks = hopper::ListedKeyBlocks<kWidth, kLengths>;
  using Walk = hopper::Walk<KeyBlocks, CountedJobs>;
  Tables tables(plan, rows, kWidth);
  std::vector<unsigned char> image = tables.image();
  const Lists lists = tables.at(image.data(), args, p.heads);
  const hopper::ListScheduler scheduler = scheduler_of(lists, p.batch);
  const typename KeyBlocks::Data data{lists.key_blocks, p.key_lengths.empty() ? nullptr : p.key_lengths.data()};
  fv_attention_plan_info info{};
  plan.describe(info);
  const auto raster = [&](int64_t position) {
    const int64_t at = position - p.before;
    return at < 0 || at >= p.video() ? position : p.before + info.token_order[at];
  };
  std::map<std::array<int, 3>, std::vector<int>> seen;  // keys of a batch row, head and query
  const auto visit = [&](Walk& walk) {                  // one tile
    const hopper::ListedTile tile = walk.tile();
    const int end = scheduler.end_of(tile);
    const int keys_of_row = p.key_lengths.empty() ? INT32_MAX : p.key_lengths[static_cast<size_t>(tile.batch)];
    ASSERT_LE(end - tile.first_query, rows);
    std::vector<int> keys(static_cast<size_t>(p.tokens()));
    ASSERT_GT(end, tile.first_query);
    for (;;) {
      const hopper::KeyBlock block = walk.block();
      ASSERT_GE(block.count, 1);
      ASSERT_LE(block.count, kWidth);
      for (int j = 0; j < block.count; ++j) ++keys.at(static_cast<size_t>(block.first) + static_cast<size_t>(j));
      ASSERT_EQ(walk.blocks().clear_behind(block), kLengths && block.first + kWidth > keys_of_row);
      if (walk.last()) break;
      walk.next_block();
    }
    for (int i = tile.first_query; i < end; ++i)
      ASSERT_TRUE(seen.insert({{tile.batch, tile.head, i}, keys}).second) << "query " << i << " twice";
  };
  int counter = blocks;
  std::vector<Walk> walks;
  for (int first = 0; first < blocks; ++first) walks.emplace_back(scheduler, data, first, CountedJobs{&counter});
  std::mt19937 random(static_cast<unsigned>(blocks));
  for (;;) {
    std::vector<Walk*> at_work;
    for (Walk& walk : walks)
      if (!walk.done()) at_work.push_back(&walk);
    if (at_work.empty()) break;
    Walk& walk = *at_work[random() % at_work.size()];
    visit(walk);
    walk.next_tile();
  }
  // Queries that see no key at all are left out of the walk.
  for (int64_t b = 0; b < p.batch; ++b)
    for (int64_t h = 0; h < p.heads; ++h)
      for (int64_t i = 0; i < p.tokens(); ++i) {
        const auto found = seen.find({static_cast<int>(b), static_cast<int>(h), static_cast<int>(i)});
        const int64_t exist = p.key_lengths.empty() ? p.tokens() : p.key_lengths[static_cast<size_t>(b)];
        for (int64_t j = 0; j < p.tokens(); ++j)
          ASSERT_EQ(found == seen.end() ? 0 : found->second[static_cast<size_t>(j)],
                    j < exist && sees(p, windows[static_cast<size_t>(h)], raster(i), raster(j)) ? 1 : 0)
              << p.text() << ", head " << h << ", " << i << " to " << j;
      }
}

template <int kWidth>
void expect_definition(const ProblemSize& p, const SitePlan& plan, int rows, const fv_attention_args& args,
                       const std::vector<Extent>& windows, int blocks) {
  if (p.key_lengths.empty())
    expect_walk<kWidth, false>(p, plan, rows, args, windows, blocks);
  else
    expect_walk<kWidth, true>(p, plan, rows, args, windows, blocks);
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
    if (i % 7 == 3)  // into the video, and none at all
      p.key_lengths = {static_cast<int32_t>(p.before + p.video() / 2), i % 2 == 0 ? 0 : -3};
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

TEST(Tables, StoreOneListForQueriesThatSeeTheSame) {
  // A full window in a strategy: two blocks of queries and of keys for it, and for the one that covers everything.
  const ProblemSize p{.grid = {{4, 8, 8}}, .tile = {{1, 1, 1}}, .heads = 1};
  StrategyTable table;
  table.add("tile", {1, 1, 1}).add(0, 0, 0, {{4, 8, 8}});
  GivenOptions options;
  const Settings settings = settings_of(options.strategy(table));
  const SitePlan plan(settings, site_of(p, 1));
  const Tables tables(plan, 128, 128);
  constexpr size_t kBlocks = 4, kBeginnings = 512;  // at multiples of 256, behind the counter
  EXPECT_EQ(tables.image().size(), kBeginnings + kBlocks * sizeof(hopper::KeyBlock));
}

// Key blocks of every job of a call, in the order in which jobs go out.
std::vector<int> lengths_of_jobs(const hopper::ListScheduler& scheduler) {
  std::vector<int> lengths;
  for (int job = 0; job < scheduler.jobs(); ++job) {
    const hopper::ListedTile tile = scheduler.tile(job);
    lengths.push_back(tile.keys_end - tile.keys_begin);
  }
  return lengths;
}

// When the last of `blocks` blocks is done that each take the next job as soon as they are free, over the mean.
double unevenness(const std::vector<int>& lengths, int blocks) {
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> free_at;
  for (int i = 0; i < blocks; ++i) free_at.push(0);
  int64_t sum = 0, last = 0;
  for (const int length : lengths) {
    const int64_t end = free_at.top() + length;
    free_at.pop();
    free_at.push(end);
    last = std::max(last, end);
    sum += length;
  }
  return static_cast<double>(last) * blocks / static_cast<double>(sum);
}

TEST(Tables, GiveOutTheLongestFirst) {
  // Wan at 480p on a card of 132 multiprocessors; heads that see everything, a third, and little.
  const ProblemSize p{.grid = {{21, 30, 52}}, .tile = {{7, 9, 6}}, .heads = 12};
  const Extent full{{3, 4, 9}}, kinds[] = {{{1, 1, 3}}, {{3, 3, 3}}, full, {{3, 1, 1}}};
  StrategyTable table;
  table.add("tile", {7, 9, 6});
  for (int64_t h = 0; h < 12; ++h) table.add(0, 0, h, kinds[h % 4]);
  GivenOptions options;
  const Settings settings = settings_of(options.strategy(table));
  const SitePlan plan(settings, site_of(p, 1));
  Tables tables(plan, 128, 128);
  std::vector<unsigned char> image = tables.image();
  fv_attention_args args{};
  args.steps = 1;
  const hopper::ListScheduler scheduler = scheduler_of(tables.at(image.data(), args, p.heads), 1);
  std::vector<int> heads;
  for (int job = 0; job < scheduler.jobs(); job += scheduler.count) heads.push_back(scheduler.tile(job).head);
  EXPECT_EQ(heads, (std::vector<int>{2, 6, 10, 1, 5, 9, 0, 4, 8, 3, 7, 11}));
  const std::vector<int> lengths = lengths_of_jobs(scheduler);
  for (size_t head = 0; head < 12; ++head) {
    const auto begin = lengths.begin() + static_cast<ptrdiff_t>(head) * scheduler.count;
    EXPECT_TRUE(std::is_sorted(begin, begin + scheduler.count, std::greater<>()));
  }
  EXPECT_LT(unevenness(lengths, 132), 1.01);
  std::vector<int> shared_out(132);  // every 132nd job, as where all are equal
  for (size_t job = 0; job < lengths.size(); ++job) shared_out[job % 132] += lengths[job];
  EXPECT_GT(unevenness(shared_out, 132), 1.02) << "the order would make no difference";
}

TEST(Tables, JoinTilesThatSeeTheSame) {
  // A head that sees everything, beside one that does not: its queries fill whole blocks, whatever the tiles hold.
  const ProblemSize p{.grid = {{4, 9, 10}}, .tile = {{1, 5, 5}}, .heads = 2};  // tiles of 25 and 20 tokens
  StrategyTable table;
  table.add("tile", {1, 5, 5}).add("tile_grid", {4, 2, 2}).add(0, 0, 0, {{1, 1, 1}}).add(0, 0, 1, {{4, 2, 2}});
  GivenOptions options;
  const Settings settings = settings_of(options.strategy(table));
  const SitePlan plan(settings, site_of(p, 1));
  Tables tables(plan, 128, 128);
  std::vector<unsigned char> image = tables.image();
  fv_attention_args args{};
  args.steps = 1;
  const hopper::ListScheduler scheduler = scheduler_of(tables.at(image.data(), args, p.heads), 1);
  ASSERT_EQ(scheduler.count, 16);  // of the other head, one for each tile
  std::vector<std::pair<int, int>> blocks;
  for (int job = 0; job < scheduler.count; ++job) {
    const hopper::ListedTile tile = scheduler.tile(job);
    ASSERT_EQ(tile.head, 1);
    if (tile.end > tile.first_query) blocks.emplace_back(tile.first_query, tile.end);
    EXPECT_EQ(tile.end > tile.first_query, tile.keys_end > tile.keys_begin);
  }
  EXPECT_EQ(blocks, (std::vector<std::pair<int, int>>{{0, 128}, {128, 256}, {256, 360}}));
}

TEST(Tables, KeepTheOrderOfEqualWork) {
  // Tiles that see equally much go out as they lie, head after head: neighbours share keys in the cache.
  const ProblemSize p{.grid = {{6, 8, 12}}, .tile = {{2, 2, 2}}, .heads = 3};
  GivenOptions options;
  const Settings settings = settings_of(options.string("tile", "2x2x2").string("window", "3x3x3"));
  const SitePlan plan(settings, site_of(p, 1));
  Tables tables(plan, 128, 128);
  std::vector<unsigned char> image = tables.image();
  const hopper::ListScheduler scheduler = scheduler_of(tables.at(image.data(), {}, p.heads), 2);
  for (int job = 0; job < scheduler.jobs(); ++job) {
    const hopper::ListedTile tile = scheduler.tile(job);
    EXPECT_EQ(tile.head, job / scheduler.count / 2);
    EXPECT_EQ(tile.batch, job / scheduler.count % 2);
    if (job % scheduler.count == 0) continue;
    const hopper::ListedTile before = scheduler.tile(job - 1);
    const int length = tile.keys_end - tile.keys_begin, length_before = before.keys_end - before.keys_begin;
    EXPECT_TRUE(length < length_before || (length == length_before && tile.first_query > before.first_query));
  }
}

}  // namespace
}  // namespace fastvideo::sliding_tile
