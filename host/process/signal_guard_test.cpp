#include "host/process/signal_guard.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace fastvideo::host {
namespace {

void on_usr(int) {}

TEST(CancelToken, StaysSetAndThrows) {
  CancelToken token;
  EXPECT_FALSE(token.requested());
  EXPECT_NO_THROW(token.throw_if_requested());
  token.request();
  EXPECT_TRUE(token.requested());
  EXPECT_THROW(token.throw_if_requested(), CancelledError);
}

TEST(SignalGuard, FirstSignalSetsTheTokenAndTheFormerHandlersComeBack) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
    struct sigaction own = {};
    own.sa_handler = on_usr;
    struct sigaction former = {};
    sigaction(signal, &own, &former);
    CancelToken token;
    {
      const SignalGuard guard(token);
      EXPECT_FALSE(token.requested());
      std::raise(signal);
      EXPECT_TRUE(token.requested());
    }
    struct sigaction now = {};
    sigaction(signal, &former, &now);
    EXPECT_EQ(now.sa_handler, &on_usr);
  }
}

// Runs `body` in a child process and gives its raw wait status.
template <typename Body>
int status_of_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST(SignalGuard, SecondSignalKillsAtOnce) {
  const int status = status_of_child([] {
    CancelToken token;
    const SignalGuard guard(token);
    std::raise(SIGTERM);
    if (!token.requested()) ::_exit(1);
    std::raise(SIGINT);
    ::_exit(2);
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(SignalGuard, TheFirstSignalIsRemembered) {
  const int status = status_of_child([] {
    CancelToken token;
    const SignalGuard guard(token);
    if (cancelling_signal() != 0) ::_exit(1);
    std::raise(SIGHUP);
    ::_exit(cancelling_signal() == SIGHUP ? 42 : 2);
  });
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(SignalGuard, AnotherDeadlySignalStillEndsTheProcess) {
  const int status = status_of_child([] {
    CancelToken token;
    const SignalGuard guard(token);
    std::raise(SIGUSR2);
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGUSR2);
}

TEST(SignalGuard, WritesItsNoticeOnce) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int status = status_of_child([&] {
    ::dup2(ends[1], STDERR_FILENO);
    CancelToken token;
    const SignalGuard guard(token, "stopping\n");
    std::raise(SIGINT);
    std::raise(SIGINT);
  });
  ::close(ends[1]);
  EXPECT_TRUE(WIFSIGNALED(status));
  char text[64] = {};
  const ssize_t count = ::read(ends[0], text, sizeof text - 1);
  ::close(ends[0]);
  EXPECT_EQ(std::string(text, count > 0 ? static_cast<size_t>(count) : 0),
            "stopping\n\nended at once; what was being written is removed\n");
}

TEST(SignalGuard, AnIgnoredSignalStaysIgnored) {
  const int status = status_of_child([] {
    std::signal(SIGINT, SIG_IGN);
    CancelToken token;
    const SignalGuard guard(token);
    std::raise(SIGINT);
    std::raise(SIGINT);
    ::_exit(token.requested() ? 1 : 42);
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(SignalGuard, OneAtATime) {
  CancelToken token;
  {
    const SignalGuard guard(token);
    EXPECT_THROW(SignalGuard second(token), std::logic_error);
  }
  EXPECT_NO_THROW(SignalGuard third(token));
}

}  // namespace
}  // namespace fastvideo::host
