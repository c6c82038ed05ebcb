// The run-time plan of the Hopper kernel, without a GPU: every query and every key is visited once, in the order
// promised.
#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

#include "plugins/attention/common/hopper/key_blocks.hpp"
#include "plugins/attention/common/hopper/piece_tiles.hpp"
#include "plugins/attention/common/hopper/tile_scheduler.hpp"
#include "plugins/attention/common/hopper/walk.hpp"

namespace fastvideo::hopper {
namespace {

TEST(TileScheduler, CoversEveryQueryOnce) {
  for (int rows : {128, 192})
    for (int queries : {1, 127, 128, 129, 384, 385, 1000}) {
      const TileScheduler scheduler{queries, 3, 2, rows};
      std::set<std::tuple<int, int, int>> tiles;
      for (int job = 0; job < scheduler.jobs(); ++job) {
        const QueryTile tile = scheduler.tile(job);
        ASSERT_EQ(tile.first_query % rows, 0);
        ASSERT_LT(tile.head, 3);
        ASSERT_LT(tile.batch, 2);
        ASSERT_TRUE(tiles.insert({tile.batch, tile.head, tile.first_query}).second);
      }
      for (int batch = 0; batch < 2; ++batch)
        for (int head = 0; head < 3; ++head)
          for (int first = 0; first < queries; first += rows) ASSERT_EQ(tiles.count({batch, head, first}), 1U);
      ASSERT_EQ(static_cast<int>(tiles.size()), 6 * ceil_div(queries, rows));
    }
}

TEST(TileScheduler, NeighboursInTimeAreNeighboursInAHead) {
  const TileScheduler scheduler{32760, 12, 1, 128};
  for (int job = 1; job < scheduler.jobs(); ++job) {
    const QueryTile before = scheduler.tile(job - 1), now = scheduler.tile(job);
    EXPECT_TRUE(now.head == before.head ? now.first_query == before.first_query + 128 : now.first_query == 0);
  }
}

// Blocks of a cluster share keys: neighbours in the order of jobs have one head, and empty tiles fill up.
TEST(TileScheduler, APairWorksOnOneHead) {
  for (int queries : {1, 128, 129, 385, 1560, 75600}) {
    TileScheduler scheduler{queries, 3, 2, 128};
    scheduler.group = 2;
    ASSERT_EQ(scheduler.jobs() % 2, 0);
    std::set<std::tuple<int, int, int>> tiles;
    int empty = 0;
    for (int job = 0; job < scheduler.jobs(); job += 2) {
      const QueryTile one = scheduler.tile(job), other = scheduler.tile(job + 1);
      ASSERT_EQ(one.head, other.head);
      ASSERT_EQ(one.batch, other.batch);
      ASSERT_LT(one.first_query, queries);
      empty += other.first_query >= queries ? 1 : 0;
      for (const QueryTile tile : {one, other})
        ASSERT_TRUE(tiles.insert({tile.batch, tile.head, tile.first_query}).second);
    }
    EXPECT_EQ(empty, ceil_div(queries, 128) % 2 * 6) << queries;
  }
}

TEST(Split, SharesOutTheLastRoundWhereThatGains) {
  // 12 heads of 32,760 queries on 132 blocks: 3,072 tiles are 23 rounds and 36.
  const Split split = split_last_round(3072, 132, 187);
  EXPECT_EQ(split.whole, 3072 - 36);
  EXPECT_EQ(split.shares, 132);
  EXPECT_EQ(split_last_round(156, 132, 9).shares, 0);  // 12 heads of 1,560: putting them together takes longer
  EXPECT_EQ(split_last_round(156, 132, 13).shares, 24 * 5);
  EXPECT_EQ(split_last_round(132, 132, 256).shares, 0);    // no tile is left
  EXPECT_EQ(split_last_round(1536, 132, 64).shares, 132);  // 84 tiles: shares that end in the midst of a tile
  EXPECT_EQ(split_last_round(512, 132, 24).shares, 0);     // 116 tiles: the gain would be small
  EXPECT_EQ(split_last_round(4, 132, 256).shares, 4 * 33);
  EXPECT_EQ(split_last_round(4, 132, 6).shares, 0);
  EXPECT_EQ(split_last_round(16, 132, 12).shares, 16 * 8);
  EXPECT_EQ(split_last_round(16, 132, 12, 8).shares, 0);
  EXPECT_EQ(split_last_round(84, 132, 187, 8).shares, 0);
  EXPECT_EQ(split_last_round(36, 132, 187, 8).shares, 36 * 3);
  for (int tiles = 1; tiles < 400; ++tiles)
    for (int key_blocks : {0, 1, 7, 16, 100, 1000}) {
      const Split s = split_last_round(tiles, 132, key_blocks);
      if (s.shares == 0) continue;
      ASSERT_EQ(s.whole % 132, 0);
      ASSERT_LE(s.shares, 132);
      ASSERT_LE(s.shares, (tiles - s.whole) * key_blocks);
      ASSERT_LT(ceil_div((tiles - s.whole) * key_blocks, s.shares) + cost_of_pieces(tiles - s.whole), key_blocks);
    }
}

// 3 heads of so many queries and 2 batch rows on 20 blocks.
void expect_every_key_of_every_tile_once(int queries, int keys, int shares, bool two_of_a_tile) {
  TileScheduler tiles{queries, 3, 2, 128};
  const int key_blocks = ceil_div(keys, 128);
  const Split split = split_last_round(tiles.tiles(), 20, key_blocks);
  ASSERT_EQ(split.shares, shares);
  const PieceScheduler scheduler{tiles, split, key_blocks};
  ASSERT_EQ(scheduler.jobs(), shares * (two_of_a_tile ? 2 : 1));
  tiles.most = split.whole;
  ASSERT_EQ(tiles.jobs(), split.whole);
  std::set<std::tuple<int, int, int, int>> seen;
  int64_t visited = 0;
  const auto visit = [&](auto walk, const auto& begin) {
    for (; !walk.done(); walk.next_tile()) {
      const QueryTile tile = walk.tile();
      begin(walk.tile());
      for (;; walk.next_block()) {
        ASSERT_TRUE(seen.insert({tile.batch, tile.head, tile.first_query, walk.block().first}).second);
        ASSERT_TRUE(walk.block().count == 128 || walk.block().first + walk.block().count == keys);
        visited += walk.block().count;
        if (walk.last()) break;
      }
    }
  };
  // The combination finds exactly the pieces of a tile.
  std::set<int> slots, found;
  for (int tile = 0; tile < scheduler.split_tiles(); ++tile)
    for (int share = scheduler.first_share(tile); share <= scheduler.last_share(tile); ++share) {
      const int slot = scheduler.slot(tile, share);
      ASSERT_TRUE(found.insert(slot).second);
      const QueryTile of = tiles.tile(split.whole + tile), got = scheduler.tile(slot);
      ASSERT_TRUE(of.first_query == got.first_query && of.head == got.head && of.batch == got.batch);
    }
  for (int first = 0; first < 20; ++first) {
    visit(Walk<DenseKeyBlocks<128>>(tiles, {nullptr, keys}, first, {20}), [](auto) {});
    visit(Walk<PieceKeyBlocks<128>>(scheduler, {keys}, first, {20}), [&](PieceTile t) { slots.insert(t.slot); });
  }
  EXPECT_EQ(visited, int64_t{tiles.tiles()} * keys);
  EXPECT_EQ(slots, found);
}

TEST(Split, VisitsEveryKeyOfEveryTileOnce) {
  for (int keys : {7041, 7168, 9000, 32760}) {
    expect_every_key_of_every_tile_once(600, keys, 20, false);  // 30 tiles: 10 in two pieces each
    expect_every_key_of_every_tile_once(700, keys, 20, true);   // 36: 16 among 20 blocks
  }
  expect_every_key_of_every_tile_once(300, 32760, 20, true);   // 18 among 20
  expect_every_key_of_every_tile_once(500, 32760, 20, false);  // 24: 4 in five pieces each
  expect_every_key_of_every_tile_once(500, 1400, 20, false);
}

template <int kWidth>
void expect_cover(int keys) {
  const auto blocks = DenseKeyBlocks<kWidth>::of({nullptr, keys}, {});
  std::vector<int> seen(keys);
  for (int i = 0; i < blocks.count(); ++i) {
    const KeyBlock block = blocks.at(i);
    ASSERT_GE(block.count, 1);
    ASSERT_LE(block.count, kWidth);
    ASSERT_TRUE(i == 0 || block.count == kWidth) << "only the first block may be partial";
    for (int j = 0; j < block.count; ++j) ++seen.at(block.first + j);
  }
  EXPECT_EQ(seen, std::vector<int>(keys, 1)) << keys;
}

TEST(DenseKeyBlocks, CoverEveryKeyOnceTheRaggedBlockFirst) {
  for (int keys : {0, 1, 7, 127, 128, 129, 175, 176, 177, 352, 353, 1000, 4096}) {
    expect_cover<128>(keys);
    expect_cover<176>(keys);
  }
}

TEST(DenseKeyBlocks, FollowKeyLengthsAndClearWhatLiesBehind) {
  const int32_t lengths[] = {0, -5, 300, 1000, 2000};
  const DenseKeyBlocks<128>::Data data{lengths, 1000};
  const int keys[] = {0, 0, 300, 1000, 1000};
  for (int batch = 0; batch < 5; ++batch) {
    const auto blocks = DenseKeyBlocks<128>::of(data, {0, 0, batch});
    EXPECT_EQ(blocks.count(), ceil_div(keys[batch], 128));
    if (blocks.count() == 0) continue;
    const KeyBlock first = blocks.at(0);
    EXPECT_EQ(first.first + first.count, keys[batch]);
    EXPECT_EQ(blocks.clear_behind(first), keys[batch] < 1000);
  }
}

TEST(Walk, VisitsEveryBlockOfItsTilesOnceAndStepsOverEmptyTiles) {
  const int32_t lengths[] = {300, 0, 128};
  const DenseKeyBlocks<128>::Data data{lengths, 400};
  const TileScheduler scheduler{500, 2, 3, 128};
  for (int stride : {1, 3, 5, 100}) {
    std::set<std::tuple<int, int, int, int>> seen;
    for (int first = 0; first < stride; ++first)
      for (Walk<DenseKeyBlocks<128>> walk(scheduler, data, first, {stride}); !walk.done();) {
        const QueryTile tile = walk.tile();
        const int count = walk.blocks().count();
        ASSERT_GT(count, 0) << "batch row " << tile.batch;
        for (int i = 0; i < count; ++i) {
          ASSERT_EQ(walk.last(), i == count - 1);
          ASSERT_EQ(walk.block().first, walk.blocks().at(i).first);
          ASSERT_TRUE(seen.insert({tile.batch, tile.head, tile.first_query, walk.block().first}).second);
          if (!walk.last()) walk.next_block();
        }
        walk.next_tile();
      }
    // Four tiles of two heads; three blocks in the first batch row, none in the second, one in the third.
    EXPECT_EQ(seen.size(), 4U * 2 * (3 + 0 + 1)) << "stride " << stride;
  }
}

}  // namespace
}  // namespace fastvideo::hopper
