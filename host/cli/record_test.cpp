// What a run leaves beside its video: metadata in the file and --perf-json. ffprobe and a JSON parser read them back.
#include <nlohmann/json.hpp>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using nlohmann::json;
using test::contains;
using test::kTimeout;
using test::Program;
using test::read;

class Record : public Program {
 protected:
  CommandResult generate_to(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--output-path", (folder_.path() / name).string()};
    all.insert(all.end(), more.begin(), more.end());
    return generate(all);
  }

  json perf() const { return json::parse(read(folder_.path() / "perf.json")); }
  std::string perf_path() const { return (folder_.path() / "perf.json").string(); }

  // A tag of a file as ffprobe reads it; empty if it has none. Matroska writes its names in capitals.
  std::string tag(const std::string& name, const std::string& key) const {
    const CommandResult result = run_command(
        *find_program("ffprobe"),
        {"-v", "error", "-show_entries", "format_tags", "-of", "json", (folder_.path() / name).string()}, kTimeout);
    EXPECT_EQ(result.status.code, 0) << result.error_output;
    const json tags = json::parse(result.output).at("format").value("tags", json::object());
    for (const auto& [found, value] : tags.items())
      if (strcasecmp(found.c_str(), key.c_str()) == 0) return value;
    return {};
  }
};

TEST_F(Record, TheVideoSaysHowItWasMade) {
  for (const std::string name : {"video.mp4", "video.webm"}) {
    const CommandResult result = generate_to(name, {"--prompt", "a \"red\" circle = 1; ünder\nwater", "--num-frames",
                                                    "8", "--cache-strategy", "every_other"});
    ASSERT_EQ(result.status.code, 0) << result.error_output;
    const json comment = json::parse(tag(name, "comment"));
    EXPECT_EQ(comment.at("prompt"), "a \"red\" circle = 1; ünder\nwater");
    EXPECT_EQ(comment.at("seed"), 7);
    EXPECT_EQ(comment.at("model"), "model");
    EXPECT_EQ(comment.at("parameters").at("num_frames"), "5") << "the corrected one";
    EXPECT_EQ(comment.at("parameters").at("guidance_scale"), 5.0);
    EXPECT_EQ(comment.at("attention").at("dit.self"), "SWIFT/cpu");
    EXPECT_EQ(comment.at("attention").at("text.self"), "FORMULA/cpu");
    EXPECT_EQ(comment.at("caching"), "every_other/policy");
    EXPECT_EQ(comment.at("versions").at("fastvideo"), FASTVIDEO_VERSION);
    EXPECT_EQ(comment.at("versions").at("plugins").at("org.fastvideo.test.pipeline"), "1.0.0");
    EXPECT_EQ(tag(name, "comment").find(folder_.path().string()), std::string::npos) << "no folders in a video";
  }
}

TEST_F(Record, FramesSayHowTheyWereMade) {
  ASSERT_EQ(generate_to("frames/").status.code, 0);
  EXPECT_TRUE(contains(read(folder_.path() / "frames" / "frame_00000.png"), R"("prompt":"a red circle","seed":7)"));
  ASSERT_EQ(generate_to("frames/", {"--no-metadata"}).status.code, 0);
  EXPECT_EQ(read(folder_.path() / "frames" / "frame_00000.png").find("a red circle"), std::string::npos);
}

TEST_F(Record, NoMetadataLeavesThemOut) {
  ASSERT_EQ(generate_to("video.mp4", {"--no-metadata"}).status.code, 0);
  EXPECT_EQ(tag("video.mp4", "comment"), "");
  EXPECT_EQ(tag("video.mp4", "title"), "");
}

TEST_F(Record, APromptTooLongForAFileIsRefused) {
  const std::string prompt(110 << 10, 'x');
  expect_refused(generate_to("video.mp4", {"--prompt", prompt}), "leave them out with --no-metadata");
  EXPECT_EQ(generate_to("video.mp4", {"--prompt", prompt, "--no-metadata"}).status.code, 0);
}

TEST_F(Record, PeakMemoryIsThatOfTheProgramAlone) {
  if (test::kIsSanitized) GTEST_SKIP() << "the sanitizer's own memory counts";
  const std::vector<char> held(400 << 20, 1);  // by the process that starts the program
  const CommandResult result = generate_to("video.y4m", {"--perf-json", perf_path()});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_LT(perf().at("memory").at("peak_host_bytes"), held.size());
}

TEST_F(Record, PerfJsonTellsWhereTheTimeWent) {
  const std::string config = folder_.write("c.toml", "[log]\nlevel = \"WARNING\"\n").string();
  const CommandResult result =
      generate_to("video.mp4", {"--perf-json", perf_path(), "--config", config, "--cache-strategy", "every_other"});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  const json all = perf();
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("versions").at("fastvideo"), FASTVIDEO_VERSION);
  EXPECT_EQ(all.at("versions").at("abi"), "0.1");
  EXPECT_FALSE(all.at("versions").at("ffmpeg").get<std::string>().empty());
  EXPECT_EQ(all.at("versions").at("plugins").at("org.fastvideo.test.attention"), "1.0.0");
  EXPECT_EQ(all.at("hardware").at("device"), "cpu");
  EXPECT_GE(all.at("hardware").at("threads"), 1);
  EXPECT_GT(all.at("hardware").at("memory_bytes"), 0);
  EXPECT_TRUE(contains(all.at("model").at("file"), "libfake_pipeline.so"));
  EXPECT_EQ(all.at("settings").at("log.level").at("value"), "WARNING");
  EXPECT_EQ(all.at("settings").at("log.level").at("source"), config + ":2:1");
  EXPECT_EQ(all.at("settings").at("request.seed").at("source"), "--seed");
  EXPECT_EQ(all.at("settings").at("request.height").at("source"), "default");
  const json& video = all.at("videos").at(0);
  EXPECT_EQ(video.at("caching"), json({{"strategy", "every_other/policy"},
                                       {"passes", 6},
                                       {"computed", 4},
                                       {"reused", 2},
                                       {"left_out", json::array({json::array({2}), json::array({2})})}}));
  EXPECT_GT(all.at("memory").at("peak_host_bytes"), 1 << 20);
  EXPECT_EQ(all.at("memory").at("estimated").at("denoise"), 4096 + 2 * 1024 + 4096) << "and attention's";
  EXPECT_EQ(video.at("frames"), 5);
  EXPECT_EQ(video.at("seed"), 7);

  double sum = 0;
  for (const json& stage : video.at("stages")) {
    sum += stage.at("seconds").get<double>();
    EXPECT_EQ(stage.at("step_seconds").size(), stage.at("steps").get<size_t>());
    if (stage.at("name") == "denoise") {
      EXPECT_EQ(stage.at("steps"), 3);
    }
  }
  EXPECT_LE(sum, video.at("seconds").get<double>());
  for (const json& use : video.at("attention"))
    if (use.at("role") == "dit.self") {
      EXPECT_EQ(use.at("backend"), "SWIFT/cpu");
      EXPECT_EQ(use.at("calls"), 8);
      EXPECT_TRUE(contains(use.at("file"), "libfake_attention.so"));
    }
}

TEST_F(Record, PerfJsonWithoutCachingComputesEveryPass) {
  ASSERT_EQ(generate({"--perf-json", perf_path()}).status.code, 0);
  EXPECT_EQ(perf().at("videos").at(0).at("caching"),
            json({{"strategy", "none"}, {"passes", 6}, {"computed", 6}, {"reused", 0}}));
  EXPECT_FALSE(perf().at("versions").contains("ffmpeg")) << "y4m takes none";
}

TEST_F(Record, AnEarlierPerfJsonSurvivesAFailure) {
  folder_.write("perf.json", "what was here");
  EXPECT_EQ(generate({"--perf-json", perf_path(), "--behaviour", "fails"}).status.code, 1);
  EXPECT_EQ(read(perf_path()), "what was here");
  expect_refused(generate({"--perf-json", "/no/such/folder/perf.json"}), "--perf-json: ");
  expect_refused(generate({"--perf-json", output().string()}), "is the file of the video; choose another");
  expect_refused(generate({"--perf-json", folder_.path().string()}), "is not a file");
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_FALSE(contains(entry.path().string(), ".partial")) << entry.path();
}

}  // namespace
}  // namespace fastvideo::host
