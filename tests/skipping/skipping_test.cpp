// Exit codes of tests/support/main.cpp: ctest takes 77 for skipped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace {

int exit_code(const std::string& filter) {
  const std::string argument = "--gtest_filter=" + filter;
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    execl(SKIPPING_EXAMPLE, SKIPPING_EXAMPLE, argument.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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
