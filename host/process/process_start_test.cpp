#include "host/process/process_start.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>

#include "host/process/leftovers.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

struct Ended {
  int status = 0;
  std::string said;
};

// What becomes of a prepared process that runs `body`, and what it says on standard error.
template <class Body>
Ended prepared(Body&& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    std::signal(SIGABRT, SIG_DFL);
    prepare_process();
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  Ended ended;
  char buffer[512];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    ended.said.append(buffer, static_cast<size_t>(count));
  ::close(ends[0]);
  ::waitpid(pid, &ended.status, 0);
  return ended;
}

void want_memory() { throw std::bad_alloc(); }
void fail() { throw std::runtime_error("a fault"); }

// Where nothing may be thrown.
void call_without_exceptions(void (*body)()) noexcept { body(); }

class ProcessStart : public testing::Test {
 protected:
  ProcessStart() : folder_(fs::temp_directory_path() / ("fastvideo_start_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "frames.partial");
    for (const char* name : {"video.partial", "frames.partial/1", "frames.partial/2"})
      ::close(::open((folder_ / name).c_str(), O_CREAT | O_WRONLY, 0600));
  }
  ~ProcessStart() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(ProcessStart, OpensWhatIsClosed) {
  const Ended ended = prepared([] {
    for (const int fd : {0, 1, 2}) ::close(fd);
    prepare_process();
    if (::open("/dev/null", O_RDONLY) <= 2) ::_exit(3);
    if (::write(1, "x", 1) != 1) ::_exit(4);
  });
  EXPECT_EQ(ended.status, 0);
}

TEST_F(ProcessStart, ExitRemovesLeftovers) {
  const Ended ended = prepared([&] {
    const Leftover file(folder_ / "video.partial"), frames(folder_ / "frames.partial");
    std::exit(5);
  });
  EXPECT_EQ(WEXITSTATUS(ended.status), 5);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ProcessStart, WhatIsForgottenStays) {
  prepared([&] {
    Leftover file(folder_ / "video.partial");
    { const Leftover frames(folder_ / "frames.partial"); }
    file.forget();
    remove_leftovers();
  });
  EXPECT_TRUE(fs::exists(folder_ / "video.partial"));
  EXPECT_TRUE(fs::exists(folder_ / "frames.partial" / "2"));
}

TEST_F(ProcessStart, AForkedProcessKeepsItsHandsOffTheLeftoversOfItsParent) {
  const Leftover file(folder_ / "video.partial");
  prepared([] { remove_leftovers(); });
  EXPECT_TRUE(fs::exists(folder_ / "video.partial"));
}

TEST_F(ProcessStart, AFileThatIsCutShortIsNamed) {
  const fs::path weights = folder_ / "wei\nghts";
  const Ended ended = prepared([&] {
    const Leftover file(folder_ / "video.partial");
    const int fd = ::open(weights.c_str(), O_CREAT | O_RDWR, 0600);
    if (::ftruncate(fd, 1 << 16) != 0) ::_exit(3);
    const volatile char* data = static_cast<char*>(::mmap(nullptr, 1 << 16, PROT_READ, MAP_PRIVATE, fd, 0));
    if (::ftruncate(fd, 100) != 0) ::_exit(3);
    static_cast<void>(data[40'000]);
  });
  EXPECT_TRUE(WIFEXITED(ended.status));
  EXPECT_EQ(WEXITSTATUS(ended.status), 1);
  // The system writes the line end in the name as \012.
  EXPECT_NE(ended.said.find("fastvideo: " + (folder_ / "wei\\012ghts").string() + ": cannot be read any more"),
            std::string::npos)
      << ended.said;
  EXPECT_FALSE(fs::exists(folder_ / "video.partial"));
}

TEST_F(ProcessStart, AnotherBusErrorIsNobodysFile) {
  const Ended ended = prepared([] { std::raise(SIGBUS); });
  EXPECT_TRUE(WIFSIGNALED(ended.status));
  EXPECT_EQ(WTERMSIG(ended.status), SIGBUS);
}

TEST_F(ProcessStart, WantOfMemoryWhereNothingCatchesIsSaid) {
  const Ended ended = prepared([&] {
    const Leftover file(folder_ / "video.partial");
    call_without_exceptions(want_memory);
  });
  EXPECT_EQ(WEXITSTATUS(ended.status), 1);
  EXPECT_EQ(ended.said, "fastvideo: out of memory\n");
  EXPECT_FALSE(fs::exists(folder_ / "video.partial"));
  const Ended other = prepared([] { call_without_exceptions(fail); });
  EXPECT_EQ(WTERMSIG(other.status), SIGABRT);
  EXPECT_EQ(other.said, "fastvideo: an error that nothing caught: a fault\n");
}

}  // namespace
}  // namespace fastvideo::host
