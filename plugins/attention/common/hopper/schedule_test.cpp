// The run-time plan of the Hopper kernel, without a GPU: every query and every key is visited once, in the order
// promised.
#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

#include "plugins/attention/common/hopper/key_blocks.hpp"
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
