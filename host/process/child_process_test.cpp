#include "host/process/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

const fs::path kShell = "/bin/sh";

std::vector<uint8_t> bytes_of(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>('a' + i % 26);
  return bytes;
}

bool process_exists(pid_t pid) { return ::kill(pid, 0) == 0; }

TEST(ChildProcess, PassesAllBytesAndKeepsBothOutputs) {
  ChildProcess child(kShell, {"-c", "wc -c; echo oops >&2; exit 3"});
  const std::vector<uint8_t> bytes = bytes_of(1'000'003);  // far more than a pipe holds
  EXPECT_TRUE(child.write(bytes));
  const std::optional<ExitStatus> status = child.wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->describe(), "exit code 3");
  EXPECT_FALSE(status->success());
  EXPECT_EQ(child.output(), "1000003\n");
  EXPECT_EQ(child.error_output(), "oops\n");
}

TEST(ChildProcess, ArgumentsReachTheProgramUntouchedByAnyShell) {
  const std::string hostile = "a b'\"$(touch /nowhere)`x`;|&\n*";
  const CommandResult result = run_command("/usr/bin/printf", {"%s", hostile}, seconds(10));
  EXPECT_TRUE(result.status.success());
  EXPECT_EQ(result.output, hostile);
}

TEST(ChildProcess, MuchOutputDoesNotStopIt) {
  const CommandResult result = run_command(kShell, {"-c", "head -c 3000000 /dev/zero >&2"}, seconds(20));
  EXPECT_TRUE(result.status.success());
  EXPECT_EQ(result.error_output.size(), 3'000'000U);
}

TEST(ChildProcess, AProgramThatEndsEarlyIsNoticedWithoutSigpipe) {
  struct sigaction fatal = {};
  fatal.sa_handler = SIG_DFL;
  struct sigaction former = {};
  sigaction(SIGPIPE, &fatal, &former);  // were it raised, this test would die
  ChildProcess child(kShell, {"-c", "exit 7"});
  const std::vector<uint8_t> bytes = bytes_of(8'000'000);
  EXPECT_FALSE(child.write(bytes));
  EXPECT_EQ(child.wait()->code, 7);
  sigaction(SIGPIPE, &former, nullptr);
}

TEST(ChildProcess, TellsTheSignalThatKilledIt) {
  ChildProcess child(kShell, {"-c", "kill -9 $$"});
  EXPECT_EQ(child.wait()->describe(), "killed by signal 9 (Killed)");
}

TEST(ChildProcess, DestructorKillsAndReapsTheWholeGroup) {
  const fs::path file = fs::temp_directory_path() / ("fastvideo_group_" + std::to_string(::getpid()));
  pid_t pid = -1;
  pid_t grandchild = -1;
  {
    ChildProcess child(kShell, {"-c", "sleep 1000 & echo $! > " + file.string() + "; wait"});
    pid = child.pid();
    for (int i = 0; i < 500 && grandchild <= 0; ++i) {
      std::ifstream(file) >> grandchild;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ASSERT_GT(grandchild, 0);
    ASSERT_TRUE(process_exists(grandchild));
  }
  fs::remove(file);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), -1);
  EXPECT_EQ(errno, ECHILD) << "not reaped";
  // Init may need a moment to reap the grandchild; a zombie has no command line.
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    std::string command_line;
    std::getline(std::ifstream("/proc/" + std::to_string(grandchild) + "/cmdline"), command_line);
    gone = command_line.empty();
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(gone);
}

TEST(ChildProcess, AHangingProgramCanBeCancelledWhileWritingAndWhileWaiting) {
  ChildProcess child(kShell, {"-c", "sleep 1000"});
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(100));
    cancel.request();
  });
  const std::vector<uint8_t> bytes = bytes_of(8'000'000);
  EXPECT_THROW(child.write(bytes, &cancel), CancelledError);
  canceller.join();
  EXPECT_THROW(child.wait(&cancel), CancelledError);
}

TEST(ChildProcess, RunCommandKillsWhatTakesTooLong) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run_command(kShell, {"-c", "sleep 1000"}, milliseconds(100)), std::runtime_error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(20));
}

// The text of the ChildHangs that `body` throws.
template <class Body>
std::string hang(Body&& body) {
  try {
    body();
  } catch (const ChildHangs& e) {
    return e.what();
  }
  return "(none)";
}

TEST(ChildProcess, OneThatDoesNothingIsFoundOutWhileWritingAndWhileWaiting) {
  ChildLimits limits;
  limits.idle = milliseconds(800);
  ChildProcess deaf(kShell, {"-c", "while :; do sleep 0.1; done"}, limits);
  EXPECT_EQ(hang([&] { deaf.write(bytes_of(8'000'000)); }), "it has done nothing for 800 ms");
  EXPECT_EQ(hang([&] { deaf.wait(); }), "it has done nothing for 800 ms");
  // Work in a child of it counts, though nothing is read.
  ChildProcess busy(kShell, {"-c", "timeout --foreground 3 sh -c 'while :; do :; done' & wait; cat >/dev/null"},
                    limits);
  EXPECT_TRUE(busy.write(bytes_of(8'000'000)));
  EXPECT_TRUE(busy.wait()->success());
}

TEST(ChildProcess, OneThatGoesOnForEverIsFoundOut) {
  ChildLimits limits;
  limits.after_input = milliseconds(700);
  ChildProcess child(kShell, {"-c", "while :; do :; done"}, limits);
  EXPECT_EQ(hang([&] { child.wait(); }), "it had not ended 700 ms after its last input");
  limits = {};
  limits.output_bytes = 3 << 20;
  ChildProcess flood(kShell, {"-c", "yes"}, limits);
  EXPECT_NE(hang([&] { flood.wait(); }).find(" MiB of messages without an end"), std::string::npos);
}

TEST(ChildProcess, OfAFloodTheEndIsKept) {
  const CommandResult result = run_command(kShell, {"-c", "yes | head -c 20000000; echo end"}, seconds(60));
  EXPECT_EQ(result.output.size(), size_t{4} << 20);
  EXPECT_TRUE(result.output.ends_with("y\nend\n"));
}

TEST(ChildProcess, StartsWithDefaultSignalsWhateverOursAre) {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction former = {};
  sigaction(SIGTERM, &ignore, &former);
  ChildProcess child(kShell, {"-c", "kill -TERM $$; sleep 1000"});
  const std::optional<ExitStatus> status = child.wait(nullptr, seconds(20));
  sigaction(SIGTERM, &former, nullptr);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGTERM);
}

TEST(ChildProcess, OneChildDoesNotHoldTheInputOfAnother) {
  ChildProcess first("/bin/cat", {});
  ChildProcess second(kShell, {"-c", "sleep 1000"});
  const std::optional<ExitStatus> status = first.wait(nullptr, seconds(20));
  ASSERT_TRUE(status) << "cat never saw the end of its input";
  EXPECT_TRUE(status->success());
}

TEST(ChildProcess, AMissingProgramIsAnErrorThatNamesIt) {
  try {
    ChildProcess child("/nowhere/program", {});
    FAIL() << "started";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "cannot start /nowhere/program: No such file or directory");
  }
}

TEST(FindProgram, LooksOnPathOnlyAndNeverInTheCurrentDirectory) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program-anywhere"));
  const fs::path folder = fs::temp_directory_path() / ("fastvideo_path_" + std::to_string(::getpid()));
  fs::create_directories(folder / "a_folder");
  std::ofstream(folder / "not_executable") << "x";
  std::ofstream(folder / "tool") << "#!/bin/sh\n";
  fs::permissions(folder / "tool", fs::perms::owner_all);
  const std::string former_path = std::getenv("PATH");
  const fs::path former_folder = fs::current_path();
  fs::current_path(folder);
  setenv("PATH", ":.:/usr/bin", 1);
  EXPECT_FALSE(find_program("tool"));
  setenv("PATH", ("/nowhere:" + folder.string()).c_str(), 1);
  EXPECT_EQ(find_program("tool"), folder / "tool");
  EXPECT_FALSE(find_program("not_executable"));
  EXPECT_FALSE(find_program("a_folder"));
  setenv("PATH", former_path.c_str(), 1);
  fs::current_path(former_folder);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fastvideo::host
