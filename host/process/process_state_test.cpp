#include "host/process/process_state.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <locale>

namespace fastvideo::host {
namespace {

TEST(ProcessState, IsPutBack) {
  restore_process_state();  // nothing was noted: nothing happens
  const std::filesystem::path folder = std::filesystem::current_path();
  const mode_t mask = ::umask(022);
  note_process_state();

  ASSERT_NE(std::setlocale(LC_ALL, "C.UTF-8"), nullptr);
  std::locale::global(std::locale(std::locale::classic(), new std::numpunct<char>));
  ::umask(0);
  ASSERT_EQ(::chdir("/"), 0);
  std::fesetround(FE_UPWARD);
  ::close(STDIN_FILENO);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  restore_process_state();

  EXPECT_EQ(restored_process_state(),
            "standard descriptors, working directory, umask, floating-point mode, locale, blocked signals");
  EXPECT_EQ(restored_process_state(), "") << "said once";
  EXPECT_STREQ(std::setlocale(LC_ALL, nullptr), "C");
  EXPECT_EQ(std::locale(), std::locale::classic());
  EXPECT_EQ(::umask(mask), 022U);
  EXPECT_EQ(std::filesystem::current_path(), folder);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  EXPECT_GE(::fcntl(STDIN_FILENO, F_GETFD), 0);
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGUSR1), 0);
}

}  // namespace
}  // namespace fastvideo::host
