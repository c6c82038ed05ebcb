// Exit codes of tests/support/main.cpp: ctest takes 77 for skipped.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

namespace {

int exit_code(const std::string& filter) {
  const std::string command = std::string(SKIPPING_EXAMPLE) + " --gtest_filter='" + filter + "' >/dev/null";
  return WEXITSTATUS(std::system(command.c_str()));
}

TEST(Skipping, IsToldOnlyWhereAllWereSkipped) {
  EXPECT_EQ(exit_code("*Skips"), 77);
  EXPECT_EQ(exit_code("*Skips*"), 77);
  EXPECT_EQ(exit_code("*Passes"), 0);
  EXPECT_EQ(exit_code("*Passes:*Skips*"), 0);
}

TEST(Skipping, HidesNoFailure) {
  EXPECT_EQ(exit_code("*Fails"), 1);
  EXPECT_EQ(exit_code("*Skips*:*Fails"), 1);
  EXPECT_EQ(exit_code("*"), 1);
}

}  // namespace
