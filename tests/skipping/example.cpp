// One test of each outcome, for skipping_test to run.
#include <gtest/gtest.h>

TEST(Example, Passes) {}
TEST(Example, Skips) { GTEST_SKIP() << "no such device"; }
TEST(Example, SkipsToo) { GTEST_SKIP() << "no such device"; }
TEST(Example, Fails) { FAIL(); }
