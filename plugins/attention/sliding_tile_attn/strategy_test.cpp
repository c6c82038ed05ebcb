// Strategy files: reading, and refusals that name the entry.
#include "plugins/attention/sliding_tile_attn/strategy.hpp"

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

#include "plugins/attention/sliding_tile_attn/tests/options.hpp"

namespace fastvideo::sliding_tile {
namespace {

// Two steps, layers and heads; full where step and layer are 0.
StrategyTable small() {
  StrategyTable table;
  for (int64_t s : {1, 0})  // in any order
    for (int64_t l : {0, 1})
      for (int64_t h : {0, 1}) table.add(s, l, h, s + l == 0 ? Extent{{5, 6, 10}} : Extent{{3, 3, 1 + h}});
  return table;
}

std::string refusal(const fv_value& content) {
  try {
    Strategy strategy(content, "s.json");
  } catch (const Refused& e) {
    return e.what();
  }
  return "taken";
}

void expect_refusal(const StrategyTable& table, const std::string& part) {
  const std::string said = refusal(table.get());
  EXPECT_NE(said.find(part), std::string::npos) << said << "\nshould say\n" << part;
  EXPECT_NE(said.find("s.json"), std::string::npos) << said;
}

TEST(Strategy, ReadsEveryEntry) {
  const Strategy strategy(small().get(), "s.json");
  EXPECT_EQ(strategy.steps(), 2);
  EXPECT_EQ(strategy.layers(), 2);
  EXPECT_EQ(strategy.heads(), 2);
  EXPECT_EQ(to_text(strategy.tile()), "6x8x8");
  EXPECT_EQ(to_text(strategy.tile_grid()), "5x6x10");
  const auto window = [&](int64_t s, int64_t l, int64_t h) {
    return to_text(strategy.windows()[strategy.window_of(s, l, h)]);
  };
  EXPECT_EQ(window(0, 0, 1), "5x6x10");
  EXPECT_EQ(window(1, 0, 1), "3x3x2");
  EXPECT_EQ(window(0, 1, 0), "3x3x1");
  EXPECT_EQ(strategy.windows().size(), 3u);
  int64_t sum = 0;
  for (const int64_t count : strategy.counts()) sum += count;
  EXPECT_EQ(sum, 8);
}

TEST(Strategy, MayNameTileAndGrid) {
  StrategyTable table;
  table.add("tile_grid", {4, 4, 7}).add("tile", {7, 9, 6}).add(0, 0, 0, {{3, 3, 3}});
  const Strategy strategy(table.get(), "s.json");
  EXPECT_EQ(to_text(strategy.tile()), "7x9x6");
  EXPECT_EQ(to_text(strategy.tile_grid()), "4x4x7");
}

TEST(Strategy, TakesTheNearestStep) {
  StrategyTable table;
  for (int64_t s = 0; s < 5; ++s) table.add(s, 0, 0, {{3, 3, 3}});
  const Strategy strategy(table.get(), "s.json");
  for (int64_t s = 0; s < 5; ++s) EXPECT_EQ(strategy.nearest_step(s, 5), s);
  EXPECT_EQ(strategy.nearest_step(0, 1), 0);
  EXPECT_EQ(strategy.nearest_step(49, 50), 4);
  EXPECT_EQ(strategy.nearest_step(24, 50), 2);
  EXPECT_EQ(strategy.nearest_step(1, 3), 2);
}

TEST(Strategy, SaysWhichEntryIsWrong) {
  expect_refusal(small().add("0_0_2", {3, 3, 3}), "entry 0_1_2 is missing; the file goes to step 1, layer 1, head 2");
  expect_refusal(small().add("2_1_1", {3, 3, 3}), "entry 2_0_0 is missing");
  expect_refusal(small().add("2_0_0", {3, 3, 3}), "entry 2_0_1 is missing");
  expect_refusal(small().add("2147483647_2147483647_2147483647", {3, 3, 3}), "entry 0_0_2 is missing");
  expect_refusal(small().add("1_1_1_1", {3, 3, 3}), "'1_1_1_1' is no entry");
  expect_refusal(small().add("01_1_1", {3, 3, 3}), "'01_1_1' is no entry");
  expect_refusal(small().add("-1_0_0", {3, 3, 3}), "'-1_0_0' is no entry");
  expect_refusal(small().add("1_0", {3, 3, 3}), "'1_0' is no entry");
  expect_refusal(small().add("", {3, 3, 3}), "'' is no entry");
  expect_refusal(small().add("windows", {3, 3, 3}), "'windows' is no entry");
  expect_refusal(small().add("2_0_0", {3, 3}), "'2_0_0' is no list of three sizes");
  expect_refusal(small().add("2_0_0", {3, 0, 3}), "'2_0_0' has the size 0");
  expect_refusal(small().add("2_0_0", {3, 3, -7}), "'2_0_0' has the size -7");
  expect_refusal(small().add("tile", {0, 8, 8}), "'tile' has the size 0");
  expect_refusal(small().add("tile_grid", {5, 6, 9}),
                 "entry 0_0_0 has the window 5x6x10, larger than the tile grid 5x6x9");
  expect_refusal(StrategyTable(), "has no entries");
  expect_refusal(StrategyTable().add("tile", {6, 8, 8}), "has no entries");
  fv_value list{};
  list.type = FV_VALUE_LIST;
  EXPECT_NE(refusal(list).find("no object of entries"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo::sliding_tile
