// The walk of the routed kernel, without a GPU: every query tile once, its listed key blocks, the partial block first.
#include "plugins/attention/sparse_attn/sm90/routed_tiles.hpp"

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

#include "plugins/attention/common/hopper/walk.hpp"

namespace fastvideo::sparse {
namespace {

constexpr int kQueries = 500, kHeads = 3, kBatch = 2, kRows = 128, kKeys = 500;

TEST(RoutedScheduler, CoversEveryTileOnceWithARowOfItsOwn) {
  for (const bool last_first : {false, true}) {
    const RoutedScheduler<true> scheduler{kQueries, kHeads, kBatch, kRows, last_first, nullptr};
    ASSERT_EQ(scheduler.jobs(), 4 * kHeads * kBatch);
    std::set<std::tuple<int, int, int>> tiles;
    for (int job = 0; job < scheduler.jobs(); ++job) {
      const RoutedTile tile = scheduler.tile(job);
      EXPECT_TRUE(tiles.insert({tile.batch, tile.head, tile.first_query}).second);
      EXPECT_EQ(tile.row, (tile.batch * kHeads + tile.head) * 4 + tile.first_query / kRows);
      EXPECT_EQ(tile.first_query, (last_first ? 3 - job % 4 : job % 4) * kRows);
    }
  }
}

TEST(RoutedKeyBlocks, WalkWhatIsListed) {
  const RoutedScheduler<true> scheduler{kQueries, kHeads, kBatch, kRows, false, nullptr};
  const int rows = 4 * kHeads * kBatch, stride = 4;
  std::vector<uint16_t> lists(static_cast<size_t>(rows * stride));
  std::vector<int> counts(static_cast<size_t>(rows));
  for (int row = 0; row < rows; ++row) {  // descending, of lengths 0 to 4
    counts[static_cast<size_t>(row)] = row % 5;
    for (int i = 0; i < row % 5; ++i) lists[static_cast<size_t>(row * stride + i)] = static_cast<uint16_t>(3 - i);
  }
  const RoutedKeyBlocks<128, true>::Data data{lists.data(), counts.data(), stride, nullptr, kKeys};
  std::set<int> seen;
  for (hopper::Walk<RoutedKeyBlocks<128, true>> walk(scheduler, data, 0, {1}); !walk.done(); walk.next_tile()) {
    const int row = walk.tile().row;
    seen.insert(row);
    for (int i = 0;; ++i, walk.next_block()) {
      EXPECT_EQ(walk.block().first, (3 - i) * 128);
      EXPECT_EQ(walk.block().count, i == 0 ? kKeys - 384 : 128);
      EXPECT_EQ(walk.last(), i == row % 5 - 1);
      if (walk.last()) break;
    }
  }
  for (int row = 0; row < rows; ++row) EXPECT_EQ(seen.contains(row), row % 5 > 0) << row;
}

TEST(RoutedKeyBlocks, FollowKeyLengthsAndClearWhatLiesBehind) {
  const std::vector<uint16_t> lists{2, 0};
  const std::vector<int> counts{2};
  const int32_t lengths[] = {300};
  const RoutedKeyBlocks<128, true>::Data data{lists.data(), counts.data(), 4, lengths, kKeys};
  EXPECT_TRUE((RoutedKeyBlocks<128, true>::may_be_empty(data)));
  const auto blocks = RoutedKeyBlocks<128, true>::of(data, {{0, 0, 0}, 0});
  ASSERT_EQ(blocks.count(), 2);
  EXPECT_EQ(blocks.at(0).first, 256);
  EXPECT_EQ(blocks.at(0).count, 44);
  EXPECT_TRUE(blocks.clear_behind(blocks.at(0)));
  EXPECT_EQ(blocks.at(1).count, 128);
}

}  // namespace
}  // namespace fastvideo::sparse
