// Plugins that end the process, do not come back, or say that they were cancelled: they are named, with the function
// and the site; no partial file stays, and no command ends with 0 without its result.
#include <csignal>
#include <span>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;
using test::read;

class EndingPlugin : public Program {
 protected:
  CommandResult told(const std::string& what, const std::vector<std::string>& arguments) {
    setenv("FAKE_DOES", what.c_str(), 1);
    CommandResult result = run(arguments);
    unsetenv("FAKE_DOES");
    return result;
  }
  // A run in which every function of the test plugins is called.
  std::vector<std::string> a_run(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--prompt",  "a red circle",     "--seed",     "7", "--attention-backend",
                                 "SWIFT/cpu", "--cache-strategy", "every_other"};
    all.insert(all.end(), more.begin(), more.end());
    return request("generate", all);
  }
  CommandResult generate_told(const std::string& what, const std::vector<std::string>& more = {}) {
    folder_.write("video.y4m", "what was here");
    return told(what, a_run(more));
  }
  // Names of files that are not the video.
  std::string partial_files() const {
    std::string names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      if (entry.path().filename().string().starts_with(".fastvideo")) names += entry.path().filename().string() + " ";
    return names;
  }
};

struct Function {
  const char* name;    // as FAKE_DOES has it
  const char* called;  // as the message names it
};
// Those of a run that come before the video is there.
constexpr Function kFunctions[] = {{"attention.dlopen", "dlopen of "},
                                   {"attention.create", "create of SWIFT/cpu"},
                                   {"attention.supports", "supports of SWIFT/cpu at "},
                                   {"attention.plan", "plan of SWIFT/cpu at dit."},
                                   {"attention.prepare", "prepare of SWIFT/cpu at dit."},
                                   {"attention.run", "run of SWIFT/cpu at dit."},
                                   {"cache.create", "create of every_other/policy"},
                                   {"cache.supports", "supports of every_other/policy"},
                                   {"cache.open", "open of every_other/policy"},
                                   {"cache.decide", "decide of every_other/policy"},
                                   {"cache.observe", "observe of every_other/policy"},
                                   {"pipeline.create", "create of fake/cpu"},
                                   {"pipeline.check", "check of fake/cpu"},
                                   {"pipeline.run", "run of fake/cpu"}};
// Those after it.
constexpr Function kLateFunctions[] = {{"attention.destroy_plan", "destroy_plan of SWIFT/cpu at dit."},
                                       {"attention.destroy", "destroy of SWIFT/cpu"},
                                       {"cache.close", "close of every_other/policy"},
                                       {"cache.destroy", "destroy of every_other/policy"},
                                       {"pipeline.destroy", "destroy of fake/cpu"}};

TEST_F(EndingPlugin, ThatCallsExitIsNamedAndTheProgramFails) {
  for (const Function& function : kFunctions) {
    const CommandResult result = generate_told(std::string(function.name) + "=exit");
    EXPECT_EQ(result.status.describe(), "exit code 1") << function.name << ": " << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string("exit(0) was called in ") + function.called));
    EXPECT_EQ(result.output, "") << function.name;
    EXPECT_EQ(read(output()), "what was here") << function.name;
    EXPECT_EQ(partial_files(), "") << function.name;
  }
  for (const Function& function : kLateFunctions) {
    const CommandResult result = generate_told(std::string(function.name) + "=exit");
    EXPECT_EQ(result.status.code, 1) << function.name << ": " << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string("exit(0) was called in ") + function.called));
    EXPECT_EQ(partial_files(), "") << function.name;
  }
}

TEST_F(EndingPlugin, ThatCallsExitInAnotherWayIsNamedToo) {
  for (const auto& [way, words] : {std::pair{"exit_elsewhere", "exit(0)"}, {"quick_exit", "quick_exit()"}}) {
    const CommandResult result = generate_told(std::string("attention.run=") + way);
    EXPECT_EQ(result.status.describe(), "exit code 1") << way << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string(words) + " was called in run of SWIFT/cpu at dit.")) << way;
    EXPECT_EQ(partial_files(), "") << way;
  }
}

TEST_F(EndingPlugin, ThatCallsExitIsNamedByEveryCommand) {
  const std::vector<std::string> choice{"--attention-backend", "SWIFT/cpu"};
  std::vector<std::string> bench = request("bench", {"--prompt", "x", "--attention", "SWIFT/cpu,FORMULA"});
  std::vector<std::string> calibrate =
      request("calibrate", {"--prompt", "x", "--output", (folder_.path() / "data.json").string()});
  calibrate.insert(calibrate.begin() + 1, "every_other");
  for (const auto& [what, called, arguments] :
       {std::tuple{"attention.plan=exit", "plan of SWIFT/cpu at dit.", request("explain", choice)},
        {"pipeline.measure=exit", "measure of fake/cpu",
         request("explain", {"--cache-strategy", "every_other", "--set", "cache.every_other.ahead=true"})},
        {"attention.create=exit", "create of SWIFT/cpu", bench},
        {"calibration.finish=exit", "finish of every_other/policy", calibrate},
        {"attention.multiply=exit", "multiply of RECORDER/cpu",
         std::vector<std::string>{"bench", "attention", "--plugin-dir", FASTVIDEO_TEST_PLUGINS, "--device", "cpu",
                                  "--backends", "RECORDER", "--shape", "1,1,16,8", "--repeat", "1"}}}) {
    const CommandResult result = told(what, arguments);
    EXPECT_EQ(result.status.describe(), "exit code 1") << what << result.output << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string("exit(0) was called in ") + called)) << what;
  }
  EXPECT_EQ(partial_files(), "");
}

TEST_F(EndingPlugin, ThatCrashesIsNamedAndTheSignalStays) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer has handlers and address space of its own";
  for (const auto& [way, signal, name] : {std::tuple{"segv", SIGSEGV, "SIGSEGV"},
                                          {"segv_elsewhere", SIGSEGV, "SIGSEGV"},
                                          {"fpe", SIGFPE, "SIGFPE"},
                                          {"ill", SIGILL, "SIGILL"},
                                          {"abort", SIGABRT, "SIGABRT"}}) {
    const CommandResult result = generate_told(std::string("attention.run=") + way);
    EXPECT_EQ(result.status.signal, signal) << way << result.error_output;
    EXPECT_TRUE(contains(result.error_output, std::string("crashed (") + name + ") in run of SWIFT/cpu at dit."))
        << way;
    EXPECT_EQ(read(output()), "what was here") << way;
    EXPECT_EQ(partial_files(), "") << way;
  }
  for (const auto& functions : {std::span<const Function>(kFunctions), std::span<const Function>(kLateFunctions)})
    for (const Function& function : functions) {
      const CommandResult result = generate_told(std::string(function.name) + "=segv");
      EXPECT_EQ(result.status.signal, SIGSEGV) << function.name << result.error_output;
      EXPECT_TRUE(contains(result.error_output, std::string("crashed (SIGSEGV) in ") + function.called));
      EXPECT_EQ(partial_files(), "") << function.name;
    }
}

TEST_F(EndingPlugin, HasNoSayInTheExitCodeAfterTheResult) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer's own exit handlers run";
  EXPECT_EQ(generate_told("attention.run=exit_handler").status.describe(), "exit code 0");
  EXPECT_NE(read(output()), "what was here");
  EXPECT_EQ(generate_told("attention.run=exit_handler", {"--behaviour", "fails"}).status.describe(), "exit code 1");
}

TEST_F(EndingPlugin, LeavesNoPartialFolderOfFrames) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer has handlers and address space of its own";
  std::vector<std::string> arguments = a_run({"--output-path", (folder_.path() / "frames").string()});
  EXPECT_EQ(told("attention.run=abort", arguments).status.signal, SIGABRT);
  EXPECT_EQ(partial_files(), "");
  // What is done stays.
  EXPECT_EQ(told("pipeline.destroy=segv", arguments).status.signal, SIGSEGV);
  EXPECT_EQ(partial_files(), "");
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "frames" / "frame_00004.png"));
}

TEST_F(EndingPlugin, ThatSaysItWasCancelledHasAFault) {
  for (const Function& function : kFunctions) {
    if (std::string(function.name) == "attention.dlopen") continue;
    const CommandResult result = generate_told(std::string(function.name) + "=cancelled");
    EXPECT_NE(result.status.code, 130) << function.name << result.error_output;
    EXPECT_NE(result.status.code, 0) << function.name;
    const std::string called = function.called;
    const std::string who = called.substr(called.find(" of ") + 4, called.find('/') - called.find(" of ") - 4);
    EXPECT_TRUE(contains(result.error_output, who)) << function.name;
    EXPECT_TRUE(contains(result.error_output,
                         called.substr(0, called.find(' ')) + " says that it was cancelled, and nobody asked for that"))
        << function.name;
    EXPECT_EQ(read(output()), "what was here") << function.name;
  }
  EXPECT_EQ(generate_told("pipeline.run=cancelled").status.code, 1);
  EXPECT_EQ(generate_told("attention.run=cancelled", {"--set", "attention.self_test=off"}).status.code, 1);
}

class HangingPlugin : public EndingPlugin {
 protected:
  // Waits until the running program has written this.
  static bool says(const ChildProcess& child, const std::string& part, std::chrono::seconds within) {
    const auto end = std::chrono::steady_clock::now() + within;
    while (std::chrono::steady_clock::now() < end) {
      if (child.error_output().find(part) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
};

TEST_F(HangingPlugin, IsNamedAfterSomeSeconds) {
  // Side by side: each is silent for eight seconds.
  const auto run_that = [&](const char* does, const char* video) {
    setenv("FAKE_DOES", does, 1);
    auto child = std::make_unique<ChildProcess>(
        program_, a_run({"--set", "attention.self_test=off", "--output-path", (folder_.path() / video).string()}));
    unsetenv("FAKE_DOES");
    return child;
  };
  const auto plan = run_that("attention.plan=hang", "plan.y4m"), decide = run_that("cache.decide=hang", "decide.y4m");
  for (const auto& [child, name] :
       {std::pair{plan.get(), "plan of SWIFT/cpu at dit."}, {decide.get(), "decide of every_other/policy"}}) {
    EXPECT_TRUE(says(*child, name, std::chrono::seconds(30))) << child->error_output();
    EXPECT_TRUE(contains(child->error_output(), "has shown no progress for "));
  }
}

TEST_F(HangingPlugin, IsNamedWhenTheRunIsToldToStop) {
  setenv("FAKE_DOES", "attention.run=hang", 1);
  ChildProcess child(program_, a_run({"--set", "attention.self_test=off"}));
  unsetenv("FAKE_DOES");
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  ::kill(child.pid(), SIGINT);
  EXPECT_TRUE(says(child, "waiting for run of SWIFT/cpu at dit.", std::chrono::seconds(20))) << child.error_output();
  EXPECT_TRUE(contains(child.error_output(), "Ctrl-C again ends at once"));
  ::kill(child.pid(), SIGINT);
  const auto status = child.wait(nullptr, std::chrono::seconds(20));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGINT);
}

}  // namespace
}  // namespace fastvideo::host
