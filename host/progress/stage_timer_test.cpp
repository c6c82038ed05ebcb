#include "host/progress/stage_timer.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(StageTimer, AddsUpEachStageInOrderOfFirstEntry) {
  double now = 100;
  StageTimer timer([&now] { return now; });
  now += 5;  // outside of stages: belongs to nobody
  timer.add_steps(3);
  timer.enter("decode");
  now += 1;
  timer.enter("write");
  now += 2;
  timer.enter("decode");
  timer.add_steps(2);
  now += 4;
  const std::vector<StageTime> running = timer.stages();
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].name, "decode");
  EXPECT_DOUBLE_EQ(running[0].seconds, 5);
  EXPECT_EQ(running[0].steps, 2);
  EXPECT_EQ(running[1].name, "write");
  EXPECT_DOUBLE_EQ(running[1].seconds, 2);
  timer.stop();
  now += 50;
  timer.stop();
  EXPECT_DOUBLE_EQ(timer.stages()[0].seconds, 5);
}

TEST(StageTimer, KeepsTheSecondsOfEachStep) {
  double now = 100;
  StageTimer timer([&now] { return now; });
  timer.enter("denoise");
  now += 3;
  timer.add_steps(1);
  now += 4;
  timer.add_steps(2);
  timer.add_steps(0);
  now += 1;
  EXPECT_EQ(timer.stages()[0].step_seconds, (std::vector<double>{3, 2, 2}));
}

TEST(StageTimer, SteadySecondsNeverGoBack) {
  const double first = steady_seconds();
  EXPECT_GE(steady_seconds(), first);
}

}  // namespace
}  // namespace fastvideo::host
