#include "host/request/cache_schedule.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(CacheSchedule, StepsAreCountedFromOneAndJoined) {
  EXPECT_EQ(step_ranges({}), "");
  EXPECT_EQ(step_ranges({0}), "1");
  EXPECT_EQ(step_ranges({0, 1}), "1-2");
  EXPECT_EQ(step_ranges({3, 5, 6, 7, 9}), "4, 6-8, 10");
}

}  // namespace
}  // namespace fastvideo::host
