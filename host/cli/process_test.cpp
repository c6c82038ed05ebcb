// The program in odd processes: descriptors that are closed, signals, limits. Whatever happens, no output is torn.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <regex>
#include <thread>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::kTimeout;
using test::Program;
using test::read;

class OddProcess : public Program {
 protected:
  std::string perf() const { return (folder_.path() / "perf.json").string(); }

  // A run that has begun a file of figures (and with "waits_deaf" a video), and waits.
  std::unique_ptr<ChildProcess> waiting(const std::string& behaviour) const {
    auto child =
        std::make_unique<ChildProcess>(program_, generate_arguments({"--behaviour", behaviour, "--perf-json", perf()}));
    for (int i = 0; i < 4000 && child->error_output().find("waiting") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_FALSE(unfinished().empty()) << child->error_output();
    return child;
  }
  // The program in a process that `prepare` has made odd.
  template <class Prepare>
  pid_t start(const std::vector<std::string>& arguments, Prepare&& prepare) const {
    std::vector<const char*> argv{program_.c_str()};
    for (const std::string& word : arguments) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      std::signal(SIGPIPE, SIG_DFL);
      prepare();
      execv(program_.c_str(), const_cast<char**>(argv.data()));
      _exit(99);
    }
    return pid;
  }
  static ExitStatus end_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  }
  static void to_a_pipe_without_reader(int descriptor) {
    int ends[2];
    if (pipe(ends) != 0) _exit(98);
    close(ends[0]);
    dup2(ends[1], descriptor);
  }
  void expect_untouched() const {
    EXPECT_EQ(read(output()), "what was here");
    EXPECT_TRUE(unfinished().empty()) << unfinished().front();
    EXPECT_FALSE(std::filesystem::exists(perf()));
  }
};

TEST_F(OddProcess, ClosedDescriptorsGetNoFileOfOurs) {
  ASSERT_EQ(generate().status.code, 0);
  const std::string video = read(output());
  for (const std::string closed : {"<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"}) {
    std::filesystem::remove(output());
    const CommandResult result = generate_in("exec \"$@\" " + closed);
    EXPECT_EQ(result.status.code, 0) << closed << result.error_output;
    EXPECT_TRUE(read(output()) == video) << closed;
  }
}

TEST_F(OddProcess, FfmpegWorksWhateverWasInherited) {
  for (const std::string script : {"exec \"$@\" <&- >&- 2>&-", "trap '' CHLD PIPE; exec \"$@\""}) {
    const std::string mp4 = (folder_.path() / "video.mp4").string();
    std::filesystem::remove(mp4);
    std::vector<std::string> all{"-c",
                                 script,
                                 "sh",
                                 program_.string(),
                                 "generate",
                                 "--plugin-dir",
                                 FASTVIDEO_TEST_PLUGINS,
                                 "--model-path",
                                 model().string(),
                                 "--prompt",
                                 "x",
                                 "--set",
                                 "attention.default=FORMULA",
                                 "--output-path",
                                 mp4};
    const CommandResult result = run_command("/bin/bash", all, kTimeout);
    EXPECT_EQ(result.status.code, 0) << script << result.error_output;
    EXPECT_TRUE(contains(read(mp4).substr(0, 12), "ftyp")) << script;
  }
}

TEST_F(OddProcess, ABlockedSignalIsUnblocked) {
  folder_.write("video.y4m", "what was here");
  const pid_t pid = start(generate_arguments({"--behaviour", "waits", "--perf-json", perf()}), [] {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
  });
  for (int i = 0; i < 4000 && unfinished().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(pid, SIGTERM);
  EXPECT_EQ(end_of(pid).describe(), "exit code 143");
  expect_untouched();
}

TEST_F(OddProcess, SignalsThatCancelEndItAfterTheStep) {
  folder_.write("video.y4m", "what was here");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
    const auto child = waiting("waits");
    kill(child->pid(), signal);
    const auto status = child->wait(nullptr, kTimeout);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->describe(), "exit code " + std::to_string(128 + signal));
    EXPECT_TRUE(contains(child->error_output(), "cancelled at wait 0/1000, no video was written"));
    expect_untouched();
  }
}

TEST_F(OddProcess, ASecondSignalEndsItAtOnceAndLeavesNothing) {
  folder_.write("video.y4m", "what was here");
  const auto child = waiting("waits_deaf");
  EXPECT_EQ(unfinished().size(), 2U);
  kill(child->pid(), SIGINT);
  for (int i = 0; i < 2000 && child->error_output().find("stopping") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child->pid(), SIGINT);
  const auto status = child->wait(nullptr, kTimeout);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->signal, SIGINT);
  EXPECT_TRUE(contains(child->error_output(), "ended at once"));
  expect_untouched();
}

TEST_F(OddProcess, OtherDeadlySignalsLeaveNothingEither) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer has handlers and address space of its own";
  folder_.write("video.y4m", "what was here");
  for (const int signal : {SIGQUIT, SIGUSR1, SIGALRM, SIGSEGV, SIGABRT}) {
    const auto child = waiting("waits_deaf");
    kill(child->pid(), signal);
    const auto status = child->wait(nullptr, kTimeout);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->signal, signal);
    expect_untouched();
    // Whoever sends a signal that crashes raise too is told apart from a plugin at fault.
    EXPECT_FALSE(contains(child->error_output(), "crashed ("));
    if (signal == SIGSEGV || signal == SIGABRT) {
      EXPECT_TRUE(contains(child->error_output(), "which process " + std::to_string(getpid()) + " sent"));
    }
  }
}

TEST_F(OddProcess, WhatAKilledRunLeftIsRemovedByTheNext) {
  folder_.write("video.y4m", "what was here");
  const auto living = waiting("waits_deaf");
  const std::vector<std::string> of_living = unfinished();
  {
    const auto killed = waiting("waits_deaf");
    kill(killed->pid(), SIGKILL);
    ASSERT_TRUE(killed->wait(nullptr, kTimeout).has_value());
  }
  EXPECT_GT(unfinished().size(), of_living.size());
  folder_.write(".fastvideo-notes.partial", "of somebody");
  const CommandResult result = generate();
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.error_output, "unfinished outputs of runs that were killed"));
  std::vector<std::string> left = unfinished();
  EXPECT_EQ(left.size(), of_living.size() + 1);
  for (const std::string& name : of_living) EXPECT_TRUE(std::find(left.begin(), left.end(), name) != left.end());
  EXPECT_EQ(read(folder_.path() / ".fastvideo-notes.partial"), "of somebody");
}

TEST_F(OddProcess, AReaderOfTheLogThatGoesAwayCostsNoVideo) {
  ASSERT_EQ(generate().status.code, 0);
  const std::string video = read(output());
  std::filesystem::remove(output());
  EXPECT_TRUE(end_of(start(generate_arguments(), [] { to_a_pipe_without_reader(STDERR_FILENO); })).success());
  EXPECT_TRUE(read(output()) == video);
}

TEST_F(OddProcess, AReaderOfTheResultsThatHasSeenEnoughIsNoFailure) {
  EXPECT_EQ(end_of(start({"--version"}, [] { to_a_pipe_without_reader(STDOUT_FILENO); })).signal, SIGPIPE);
  const auto ignoring = [] {
    to_a_pipe_without_reader(STDOUT_FILENO);
    std::signal(SIGPIPE, SIG_IGN);
  };
  EXPECT_EQ(end_of(start({"--version"}, ignoring)).describe(), "exit code 1");
}

TEST_F(OddProcess, AFullOutputIsSaid) {
  const CommandResult result = run_command("/bin/sh", {"-c", "\"$0\" plugins >/dev/full", program_.string()}, kTimeout);
  EXPECT_EQ(result.status.code, 1);
  EXPECT_TRUE(contains(result.error_output, "standard output cannot be written: No space left on device"));
}

TEST_F(OddProcess, ALimitOnFileSizesIsSaid) {
  folder_.write("video.y4m", "what was here");
  const CommandResult result = generate_in("ulimit -f 1; exec \"$@\"");
  EXPECT_EQ(result.status.code, 1) << result.error_output;
  EXPECT_TRUE(
      contains(result.error_output, "video.y4m: File too large; this process may write files of at most 1024 bytes"));
  expect_untouched();
}

TEST_F(OddProcess, AMappedFileThatIsCutShortIsNamed) {
  folder_.write("video.y4m", "what was here");
  const auto weights = folder_.write("weights.bin", std::string(1 << 16, 'x'));
  setenv("FAKE_MAPPED_FILE", weights.c_str(), 1);
  const auto child = waiting("maps_a_file");
  unsetenv("FAKE_MAPPED_FILE");
  ASSERT_EQ(truncate(weights.c_str(), 5000), 0);
  const auto status = child->wait(nullptr, kTimeout);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->describe(), "exit code 1");
  EXPECT_TRUE(contains(child->error_output(), "fastvideo: " + weights.string() + ": cannot be read any more"));
  expect_untouched();
}

TEST_F(OddProcess, TooFewThreadsAreCounted) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer has handlers and address space of its own";
  // Each thread takes a stack of address space, so that they cannot all be there.
  const CommandResult result = generate_in("ulimit -s 8192; ulimit -v 1500000; exec \"$@\"", {"--threads", "1024"});
  EXPECT_EQ(result.status.code, 2) << result.error_output;
  EXPECT_TRUE(std::regex_search(result.error_output, std::regex("only [0-9]+ of the 2048 threads of this run")))
      << result.error_output;
  EXPECT_TRUE(contains(result.error_output, "address space of this process is limited to 1464 MiB"));
}

TEST_F(OddProcess, StacksThatOverflowAreRefused) {
  if (test::kIsSanitized) GTEST_SKIP() << "a sanitizer's frames take more stack";
  expect_refused(generate_in("ulimit -s 64; exec \"$@\""),
                 "stacks of 64 KiB, and would crash in code that needs more; "
                 "256 KiB are the least: raise the limit (ulimit -s 8192)");
  for (const std::string size : {"OMP_STACKSIZE=16k", "GOMP_STACKSIZE=16", "OMP_STACKSIZE=' 16384 B'"})
    expect_refused(generate_in(size + " exec \"$@\""),
                   "stacks of 16 KiB, and would crash in code that needs more; 256 KiB are the least: unset " +
                       size.substr(0, size.find('=')) + ", or set it to 8M");
  for (const std::string script :
       {"ulimit -s 256", "ulimit -s unlimited", "export OMP_STACKSIZE=1M", "export OMP_STACKSIZE=x"})
    EXPECT_EQ(generate_in(script + "; exec \"$@\"").status.code, 0) << script;
}

TEST_F(OddProcess, AWorkingDirectoryThatIsGoneIsSaid) {
  const std::string gone = "mkdir " + (folder_.path() / "gone").string() + " && cd $_ && rmdir $_ && exec \"$@\"";
  expect_refused(generate_in(gone),
                 "the working directory cannot be told (No such file or directory), and libraries that are opened need "
                 "it: change to a folder that is there");
  const CommandResult listed = run_command("/bin/bash", {"-c", gone, "sh", program_.string(), "plugins"}, kTimeout);
  EXPECT_EQ(listed.status.code, 0) << listed.error_output;
}

TEST_F(OddProcess, ALimitOnOpenFilesIsSaid) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer opens files of its own";
  const CommandResult result =
      generate_in("ulimit -n 6; exec \"$@\"", {"--output-path", (folder_.path() / "v.mp4").string()});
  EXPECT_NE(result.status.code, 0);
  EXPECT_TRUE(contains(result.error_output, "Too many open files"));
  EXPECT_TRUE(contains(result.error_output, "(this process may have 6 files open, ulimit -n: raise the limit)"));
}

TEST_F(OddProcess, TooLittleAddressSpaceIsAMessage) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer has handlers and address space of its own";
  for (int mebibytes = 24; mebibytes <= 200; mebibytes += 8) {
    std::filesystem::remove(output());
    const CommandResult result =
        generate_in("ulimit -v " + std::to_string(mebibytes << 10) + "; exec \"$@\"", {"--threads", "4"});
    EXPECT_EQ(result.status.signal, 0) << mebibytes << " MiB: " << result.error_output;
    if (result.status.code == 0)
      EXPECT_TRUE(std::filesystem::exists(output()));
    else
      EXPECT_NE(result.error_output, "") << mebibytes << " MiB";
    EXPECT_TRUE(unfinished().empty()) << mebibytes << " MiB";
  }
}

}  // namespace
}  // namespace fastvideo::host
