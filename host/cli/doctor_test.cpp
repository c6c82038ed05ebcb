// `fastvideo doctor` from outside.
#include <regex>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;

TEST_F(Program, DoctorTellsWhatABugReportNeeds) {
  const std::string config =
      folder_.write("c.toml", "[attention]\ndefault = \"FORMULA\"\n[libraries]\npath = [\"torch/lib\"]\n").string();
  folder_.write("torch/lib/libtorch_cpu.so", "not a library");
  folder_.write("torch/build-version", "2.11.0+cpu");
  folder_.write("plugins/broken/plugin.toml", "manifest = \n");
  setenv("FASTVIDEO_LOGGING_LEVEL", "ERROR", 1);
  const CommandResult result = run({"doctor", "--plugin-dir", FASTVIDEO_TEST_PLUGINS, "--plugin-dir",
                                    (folder_.path() / "plugins").string(), "--config", config});
  unsetenv("FASTVIDEO_LOGGING_LEVEL");
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  const std::string& text = result.output;
  const auto says = [&](const std::string& pattern) { return std::regex_search(text, std::regex(pattern)); };
  EXPECT_TRUE(says("fastvideo +" FASTVIDEO_VERSION)) << text;
  EXPECT_TRUE(says("plugin ABI +0\\.1"));
  EXPECT_TRUE(says("system +.+ Linux .+ glibc 2\\."));
  EXPECT_TRUE(says("processor +.+ [0-9]+ threads"));
  EXPECT_TRUE(says("memory +[0-9.]+ [GM]iB"));
  EXPECT_TRUE(says("CUDA driver +"));
  EXPECT_TRUE(says("LibTorch +2\\.11 in .+/torch/lib"));
  EXPECT_TRUE(says("on the CPU +missing: libtorch_cpu.so")) << "it is damaged";
  EXPECT_TRUE(says("ffmpeg +/.+ffmpeg version "));
  EXPECT_TRUE(says("\\.mp4 +can be written"));
  EXPECT_TRUE(says("FORMULA/cpu +org.fastvideo.test.attention 1.0.0 +on cpu by its manifest"));
  EXPECT_TRUE(contains(text, "no plugin was opened: whether its code refuses this machine is said by"));
  EXPECT_TRUE(contains(text, "plugins/broken"));
  EXPECT_TRUE(contains(text, "  " + config + "\n"));
  EXPECT_TRUE(says("attention.default +\"FORMULA\" +" + config + ":2:1"));
  EXPECT_TRUE(says("FASTVIDEO_LOGGING_LEVEL +ERROR"));
}

TEST_F(Program, DoctorSaysWhatIsNotThere) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.path().c_str(), 1);
  const CommandResult result = run({"doctor"});
  setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.output, "no folder of [libraries] path holds libtorch_cpu.so"));
  EXPECT_TRUE(contains(result.output, "not on PATH"));
  EXPECT_TRUE(contains(result.output, "there is no ffmpeg program on PATH"));
}

}  // namespace
}  // namespace fastvideo::host
