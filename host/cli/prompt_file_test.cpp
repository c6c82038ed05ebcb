// Many prompts from outside: a video of each, in one run.
#include <nlohmann/json.hpp>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::Program;
using test::read;

class PromptFile : public Program {
 protected:
  CommandResult make(const std::string& prompts, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--prompt-file", folder_.write("prompts.txt", prompts).string(), "--seed", "7"};
    all.insert(all.end(), more.begin(), more.end());
    return run(request("generate", all));
  }
  std::string video(const std::string& name) const { return read(folder_.path() / name); }
};

TEST_F(PromptFile, EachVideoIsThatOfItsPromptAlone) {
  const std::string perf = (folder_.path() / "perf.json").string();
  const CommandResult result = make("a red circle\n# none\nblue\n", {"--perf-json", perf});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.output, "video_1.y4m: 5 frames"));
  EXPECT_TRUE(contains(result.output, "video_2.y4m: 5 frames"));
  EXPECT_FALSE(std::filesystem::exists(output()));
  const auto videos = nlohmann::json::parse(read(perf)).at("videos");
  ASSERT_EQ(videos.size(), 2U);
  EXPECT_EQ(videos[1].at("prompt"), "blue");
  EXPECT_EQ(videos[1].at("output"), (folder_.path() / "video_2.y4m").string());

  ASSERT_EQ(generate().status.code, 0);
  EXPECT_TRUE(video("video.y4m") == video("video_1.y4m"));
  ASSERT_EQ(generate({"--prompt", "blue"}).status.code, 0);
  EXPECT_TRUE(video("video.y4m") == video("video_2.y4m"));
}

TEST_F(PromptFile, OnePromptKeepsTheName) {
  ASSERT_EQ(make("blue\n").status.code, 0);
  EXPECT_TRUE(std::filesystem::exists(output()));
}

TEST_F(PromptFile, WhatIsDoneStaysWhenALaterOneFails) {
  const CommandResult result = make("one\nfail here\nthree\n", {"--behaviour", "fails_at_word"});
  EXPECT_EQ(result.status.code, 1);
  EXPECT_TRUE(
      contains(result.error_output, "1 of 3 videos are done, up to " + folder_.path().string() + "/video_1.y4m"));
  EXPECT_TRUE(contains(result.error_output, "the weights are rotten"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "video_1.y4m"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "video_2.y4m"));
}

TEST_F(PromptFile, IsRefusedBeforeAnyVideoIsMade) {
  expect_refused(make("# nothing\n"), "holds no prompt");
  expect_refused(make("a\n", {"--prompt", "b"}), "give one of them");
  std::filesystem::create_directories(folder_.path() / "video_2.y4m");
  expect_refused(make("a\nb\n"), "video_2.y4m exists and is not a file");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "video_1.y4m"));
}

}  // namespace
}  // namespace fastvideo::host
