#include "host/console/text_table.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(TextTable, AlignsColumns) {
  EXPECT_EQ(text_table({{"a", "1"}, {"long", "22", "x"}, {"b"}}),
            "  a     1\n"
            "  long  22  x\n"
            "  b\n");
  EXPECT_EQ(text_table({}), "");
}

TEST(TextTable, LaterLinesHang) { EXPECT_EQ(hanging("a\nfastvideo: b"), "a\n  fastvideo: b"); }

TEST(TextTable, Seconds) {
  EXPECT_EQ(readable_seconds(0.00123), "1.23 ms");
  EXPECT_EQ(readable_seconds(6.126), "6.13 s");
  EXPECT_EQ(readable_seconds(125), "2 min 05 s");
}

TEST(TextTable, StepsAreCountedFromOneAndJoined) {
  EXPECT_EQ(step_ranges({}), "");
  EXPECT_EQ(step_ranges({0}), "1");
  EXPECT_EQ(step_ranges({0, 1}), "1-2");
  EXPECT_EQ(step_ranges({3, 5, 6, 7, 9}), "4, 6-8, 10");
}

}  // namespace
}  // namespace fastvideo::host
