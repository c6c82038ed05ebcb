// Plugins whose functions throw across the ABI, whichever it is: the run ends with their name, or where nothing but an
// object was to be destroyed, goes on.
#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;
using test::read;

class ThrowingPlugin : public Program {
 protected:
  CommandResult run_with(const std::string& function, const std::vector<std::string>& arguments) {
    setenv("FAKE_THROWS", function.c_str(), 1);
    CommandResult result = run(arguments);
    unsetenv("FAKE_THROWS");
    return result;
  }
  static std::string thrown_in(const std::string& function) {
    return function.substr(function.find('.') + 1) +
           " threw an exception across the ABI: thrown on purpose; report this to the plugin's author";
  }

  // A run in which every function of the test plugins is called.
  CommandResult generate_with(const std::string& function, bool self_test) {
    folder_.write("video.y4m", "what was here");
    setenv("FAKE_THROWS", function.c_str(), 1);
    CommandResult result = generate({"--attention-backend", "SWIFT/cpu", "--cache-strategy", "every_other", "--set",
                                     std::string("attention.self_test=") + (self_test ? "true" : "false")});
    unsetenv("FAKE_THROWS");
    return result;
  }
};

TEST_F(ThrowingPlugin, IsNamedAndNothingIsWritten) {
  for (const bool self_test : {true, false})
    for (const auto& [kind, name, functions] :
         {std::tuple<std::string, std::string, std::vector<std::string>>{
              "attention", "SWIFT/cpu", {"create", "supports", "plan", "prepare", "run"}},
          {"cache", "every_other/policy", {"create", "supports", "open", "decide", "observe"}},
          {"pipeline", "fake/cpu", {"create", "check", "run"}}})
      for (const std::string& function : functions) {
        const CommandResult result = generate_with(kind + "." + function, self_test);
        EXPECT_EQ(result.status.code, 2) << kind << " " << function << ": " << result.error_output;
        EXPECT_TRUE(contains(result.error_output, thrown_in(kind + "." + function)));
        EXPECT_TRUE(contains(result.error_output, name));
        EXPECT_EQ(read(output()), "what was here") << kind << " " << function;
      }
}

TEST_F(ThrowingPlugin, IsNamedWhereStepsAreDecidedAhead) {
  const std::vector<std::string> ahead{"--cache-strategy", "every_other", "--set", "cache.every_other.ahead=true"};
  folder_.write("video.y4m", "what was here");
  std::vector<std::string> generate{"--prompt", "a red circle", "--seed", "7"};
  generate.insert(generate.end(), ahead.begin(), ahead.end());
  const CommandResult scheduled = run_with("cache.schedule", request("generate", generate));
  expect_refused(scheduled, thrown_in("cache.schedule"));
  EXPECT_TRUE(contains(scheduled.error_output, "every_other/policy"));
  EXPECT_EQ(read(output()), "what was here");
  EXPECT_TRUE(contains(explain(ahead).output, "leaves out  step 2 (1 of 3)"));
  const CommandResult measured = run_with("pipeline.measure", request("explain", ahead));
  EXPECT_EQ(measured.status.code, 2) << measured.output;
  EXPECT_TRUE(contains(measured.error_output, thrown_in("pipeline.measure")));
  EXPECT_TRUE(contains(measured.error_output, "fake/cpu"));
}

TEST_F(ThrowingPlugin, IsNamedInACalibration) {
  const std::string data = (folder_.path() / "period.json").string();
  std::vector<std::string> calibrate = request("calibrate", {"--prompt", "a red circle", "--output", data});
  calibrate.insert(calibrate.begin() + 1, "every_other");
  for (const char* function : {"calibration.create", "calibration.stand_in", "calibration.finish"}) {
    folder_.write("period.json", "what was here");
    const CommandResult result = run_with(function, calibrate);
    EXPECT_EQ(result.status.code, 2) << function << ": " << result.error_output;
    EXPECT_TRUE(contains(result.error_output, thrown_in(function)));
    EXPECT_TRUE(contains(result.error_output, "every_other/policy"));
    EXPECT_EQ(read(data), "what was here") << function;
  }
  const CommandResult destroyed = run_with("calibration.destroy", calibrate);
  EXPECT_EQ(destroyed.status.code, 0) << destroyed.error_output;
  EXPECT_TRUE(contains(destroyed.error_output, "destroy threw an exception across the ABI: thrown on purpose"));
  EXPECT_EQ(read(data), "{\"period\": 1}\n");
  const CommandResult used =
      generate({"--cache-strategy", "every_other", "--set", "cache.every_other.period_file=" + data});
  EXPECT_TRUE(contains(used.output, "0 of 6 passes left out")) << used.output << used.error_output;
}

TEST_F(ThrowingPlugin, IsNamedInTheTableOfABenchmark) {
  const std::vector<std::string> bench{"bench",    "attention", "--plugin-dir", FASTVIDEO_TEST_PLUGINS,
                                       "--device", "cpu",       "--backends",   "RECORDER",
                                       "--shape",  "1,1,16,8",  "--repeat",     "1"};
  const CommandResult result = run_with("attention.multiply", bench);
  EXPECT_TRUE(contains(result.output + result.error_output, thrown_in("attention.multiply")))
      << result.status.code << result.output << result.error_output;
  EXPECT_TRUE(contains(run(bench).output, "matrix product"));
}

TEST_F(Program, SaysWhichToolIsNotInstalled) {
  std::filesystem::remove_all(folder_.path() / "libexec");
  expect_refused(run({"bench", "attention", "--shape", "1,1,16,8"}), "libexec/fastvideo/fastvideo-bench, which is not");
  expect_refused(run({"plugins", "check", FASTVIDEO_TEST_PLUGINS}), "libexec/fastvideo/fastvideo-check, which is not");
}

TEST_F(ThrowingPlugin, WhileItIsDestroyedIsLogged) {
  for (const char* function :
       {"attention.destroy_plan", "attention.destroy", "cache.close", "cache.destroy", "pipeline.destroy"}) {
    const CommandResult result = generate_with(function, /*self_test=*/true);
    EXPECT_EQ(result.status.code, 0) << function << ": " << result.error_output;
    const std::string name = std::string(function).substr(std::string(function).find('.') + 1);
    EXPECT_TRUE(contains(result.error_output, name + " threw an exception across the ABI: thrown on purpose"));
    EXPECT_TRUE(read(output()).starts_with("YUV4MPEG2")) << function;
  }
}

}  // namespace
}  // namespace fastvideo::host
