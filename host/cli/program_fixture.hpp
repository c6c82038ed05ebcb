// For tests of the program from outside: a copy of it in a folder of its own, so that only the test plugins are found.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "host/config/test_files.hpp"
#include "host/process/child_process.hpp"
#include "tests/support/sanitized.hpp"

namespace fastvideo::host::test {

inline constexpr auto kTimeout = std::chrono::seconds(kIsSanitized ? 300 : 60);

inline std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Program : public ::testing::Test {
 protected:
  Program() {
    for (const char* name : {"FASTVIDEO_ATTENTION_BACKEND", "FASTVIDEO_CONFIG", "FASTVIDEO_PLUGIN_PATH",
                             "FASTVIDEO_LOGGING_LEVEL", "XDG_CONFIG_HOME"})
      unsetenv(name);
    setenv("HOME", folder_.path().c_str(), 1);
    std::filesystem::create_directories(folder_.path() / "bin");
    std::filesystem::create_directories(folder_.path() / "libexec");
    std::filesystem::copy_file(FASTVIDEO_PROGRAM, program_);
    const auto tools = std::filesystem::path("libexec") / "fastvideo";
    std::filesystem::create_directories(folder_.path() / tools);
    std::filesystem::copy(std::filesystem::path(FASTVIDEO_PROGRAM).parent_path().parent_path() / tools,
                          folder_.path() / tools);
    const std::filesystem::path library = FASTVIDEO_LIBRARY;
    std::filesystem::create_directories(folder_.path() / "lib");
    std::filesystem::create_symlink(library, folder_.path() / "lib" / library.filename());
    folder_.write("model/model_index.json", R"({"_class_name": "FakePipeline"})");
  }

  CommandResult run(const std::vector<std::string>& arguments) const {
    return run_command(program_, arguments, kTimeout);
  }

  // `fastvideo COMMAND` with the test plugins, the model and a backend for every role, then `more`.
  std::vector<std::string> request(const std::string& command, const std::vector<std::string>& more) const {
    std::vector<std::string> all{command,          "--plugin-dir", FASTVIDEO_TEST_PLUGINS,     "--model-path",
                                 model().string(), "--set",        "attention.default=FORMULA"};
    if (command == "generate" && std::find(more.begin(), more.end(), "--output-path") == more.end())
      all.insert(all.end(), {"--output-path", output().string()});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // With a prompt and a seed, unless they are given.
  std::vector<std::string> generate_arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = more;
    for (const auto& [flag, value] : {std::pair("--prompt", "a red circle"), {"--seed", "7"}})
      if (std::find(more.begin(), more.end(), flag) == more.end()) all.insert(all.end(), {flag, value});
    return request("generate", all);
  }
  CommandResult generate(const std::vector<std::string>& more = {}) const { return run(generate_arguments(more)); }
  // The same by a shell, in an odd process: "$@" stands for it, as in "ulimit -f 1; \"$@\" >&-".
  CommandResult generate_in(const std::string& script, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"-c", script, "sh", program_.string()};
    for (const std::string& argument : generate_arguments(more)) all.push_back(argument);
    return run_command("/bin/bash", all, kTimeout);
  }
  // Names in the folder that no test has made.
  std::vector<std::string> unfinished() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      if (entry.path().filename().string().starts_with(".fastvideo-")) found.push_back(entry.path().filename());
    return found;
  }
  CommandResult explain(const std::vector<std::string>& more = {}) const { return run(request("explain", more)); }

  // Exit code 2 and this on standard error.
  void expect_refused(const CommandResult& result, const std::string& part) const {
    EXPECT_EQ(result.status.code, 2) << result.error_output;
    EXPECT_TRUE(contains(result.error_output, part));
    EXPECT_EQ(result.output, "");
  }

  std::filesystem::path model() const { return folder_.path() / "model"; }
  std::filesystem::path output() const { return folder_.path() / "video.y4m"; }

  TemporaryFolder folder_;
  std::filesystem::path program_ = folder_.path() / "bin" / "fastvideo";
};

}  // namespace fastvideo::host::test
