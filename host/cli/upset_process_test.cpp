// Plugins that change the process in one of their functions: standard descriptors, umask, working directory, locale,
// rounding, signal mask. Outputs and results are those of an ordinary run.
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::kTimeout;
using test::Program;
using test::read;

class UpsetProcess : public Program {
 protected:
  // With a relative path, a umask of the user's, and the function doing all of it.
  CommandResult generate_while(const std::string& function, const std::string& output) {
    return generate_in("umask 027; cd " + folder_.path().string() + "; FAKE_DOES=" + function + "=upset exec \"$@\"",
                       {"--output-path", output, "--perf-json", "perf.json", "--attention-backend", "SWIFT/cpu",
                        "--cache-strategy", "every_other"});
  }
  static unsigned permissions(const std::filesystem::path& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 0777;
  }
};

TEST_F(UpsetProcess, OutputsAreTheUsers) {
  ASSERT_EQ(generate_while("nothing", "plain.y4m").status.code, 0);
  const std::string plain = read(folder_.path() / "plain.y4m");
  for (const char* function : {"attention.dlopen", "attention.create", "attention.plan", "cache.create", "cache.open",
                               "pipeline.create", "pipeline.check", "pipeline.run", "attention.run"}) {
    const CommandResult result = generate_while(function, "video.y4m");
    EXPECT_EQ(result.status.code, 0) << function << result.error_output;
    EXPECT_TRUE(contains(result.output, "video.y4m: 5 frames of 12x8")) << function;
    EXPECT_TRUE(read(output()) == plain) << function;
    EXPECT_EQ(permissions(output()), 0640u) << function;
    EXPECT_EQ(permissions(folder_.path() / "perf.json"), 0640u) << function;
    std::filesystem::remove(output());
    std::filesystem::remove(folder_.path() / "perf.json");
  }
}

TEST_F(UpsetProcess, FramesAreTheUsersToo) {
  for (const char* function : {"pipeline.create", "pipeline.run"}) {
    const CommandResult result = generate_while(function, "frames");
    EXPECT_EQ(result.status.code, 0) << function << result.error_output;
    EXPECT_EQ(permissions(folder_.path() / "frames"), 0750u) << function;
    EXPECT_EQ(permissions(folder_.path() / "frames/frame_00004.png"), 0640u) << function;
    std::filesystem::remove_all(folder_.path() / "frames");
  }
}

TEST_F(UpsetProcess, ASignalStillEndsIt) {
  setenv("FAKE_DOES", "pipeline.create=upset", 1);
  ChildProcess child(program_, generate_arguments({"--behaviour", "waits"}));
  unsetenv("FAKE_DOES");
  for (int i = 0; i < 4000 && child.error_output().find("waiting") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child.pid(), SIGTERM);
  const auto status = child.wait(nullptr, kTimeout);
  ASSERT_TRUE(status) << child.error_output();
  EXPECT_EQ(status->describe(), "exit code 143");
}

}  // namespace
}  // namespace fastvideo::host
