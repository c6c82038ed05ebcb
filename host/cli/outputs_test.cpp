// Outputs that cannot be, that are inputs, or that are each other; and flags that say two things.
#include <sys/stat.h>

#include "host/cli/numbered_output.hpp"
#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::kTimeout;
using test::Program;
using test::read;

class Outputs : public Program {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
};

TEST_F(Outputs, ANameThatIsTooLongIsRefusedWithItsBytes) {
  const std::string name = at(std::string(300, 'v') + ".y4m");
  expect_refused(run({"generate", "--prompt", "x", "--model-path", "/no/such/model", "--output-path", name}),
                 "has 304 bytes, and " + folder_.path().string() + " takes names of at most 255");
  expect_refused(generate({"--perf-json", name + ".json"}), "--perf-json: the name");
  // Two prompts make it longer.
  const std::string prompts = folder_.write("prompts.txt", "a\nb\n").string();
  expect_refused(run({"generate", "--prompt-file", prompts, "--model-path", "/no/such/model", "--output-path",
                      at(std::string(250, 'v') + ".y4m")}),
                 "takes names of at most 255");
}

TEST_F(Outputs, AFolderAsAFileNamesTheFlag) {
  std::filesystem::create_directories(at("folder"));
  const CommandResult result = generate({"--perf-json", at("folder")});
  expect_refused(result, "--perf-json: " + at("folder") + " exists and is not a file");
  EXPECT_EQ(result.error_output.find("--output-path"), std::string::npos);
}

TEST_F(Outputs, APreviewThatCannotBeIsRefused) {
  expect_refused(generate({"--preview", at("p.jpg")}), "--preview: " + at("p.jpg") + ": previews are PNG files, .png");
  expect_refused(generate({"--preview", at("no folder/p.png")}), "--preview: ");
  expect_refused(generate({"--preview-every", "3"}), "--preview-every would have no effect: no preview is asked for");
  expect_refused(generate({"--preview", at("p.png"), "--preview-every", "0"}), "--preview-every: ");
  expect_refused(generate({"--preview", at("p.png"), "--output-path", at("frames"), "--perf-json", at("p.png")}),
                 "p.png");
}

// The test pipeline makes none.
TEST_F(Outputs, APreviewThatDoesNotComeIsSaid) {
  const CommandResult result = generate({"--preview", at("p.png")});
  EXPECT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.error_output, "no preview was written: "));
  EXPECT_FALSE(std::filesystem::exists(at("p.png")));
}

TEST_F(Outputs, AnInputIsNotReplacedByWhateverLink) {
  const std::string prompts = folder_.write("prompts.txt", "a red circle\n").string();
  const std::string index = (model() / "model_index.json").string();
  const std::string config = folder_.write("mine.toml", "[log]\nlevel = \"info\"\n").string();
  std::filesystem::create_symlink(prompts, at("link.json"));
  std::filesystem::create_hard_link(prompts, at("hard.json"));
  std::filesystem::create_symlink(model(), at("linked_model"));
  const auto with = [&](const std::string& flag, const std::string& file) {
    std::vector<std::string> all{"generate",
                                 "--plugin-dir",
                                 FASTVIDEO_TEST_PLUGINS,
                                 "--model-path",
                                 model().string(),
                                 "--set",
                                 "attention.default=FORMULA",
                                 "--prompt-file",
                                 prompts,
                                 "--config",
                                 config,
                                 flag,
                                 file};
    if (flag != "--output-path") all.insert(all.end(), {"--output-path", output().string()});
    return run(all);
  };
  for (const std::string& file : {prompts, at("link.json"), at("hard.json")})
    expect_refused(with("--perf-json", file), "is read by this run (--prompt-file)");
  expect_refused(with("--perf-json", index), "is read by this run (the model)");
  expect_refused(with("--perf-json", at("linked_model/model_index.json")), "is read by this run (the model)");
  expect_refused(with("--perf-json", config), "is read by this run (a configuration file)");
  expect_refused(with("--perf-json", FASTVIDEO_TEST_PLUGINS "/fake_cache/plugin.toml"),
                 "is read by this run (the plugin org.fastvideo.test.cache)");
  std::filesystem::create_hard_link(prompts, at("hard.y4m"));
  std::filesystem::create_symlink(index, at("link.y4m"));
  expect_refused(with("--output-path", at("hard.y4m")), "is read by this run (--prompt-file)");
  expect_refused(with("--output-path", at("link.y4m")), "is read by this run (the model)");
  EXPECT_EQ(read(prompts), "a red circle\n");
  EXPECT_TRUE(contains(read(index), "FakePipeline"));
}

TEST_F(Outputs, TwoOutputsAreNotOne) {
  std::filesystem::create_directories(at("a"));
  std::filesystem::create_symlink(at("a"), at("b"));
  const auto both = [&](const std::string& video, const std::string& perf) {
    return run({"generate", "--plugin-dir", FASTVIDEO_TEST_PLUGINS, "--model-path", model().string(), "--prompt", "x",
                "--set", "attention.default=FORMULA", "--output-path", video, "--perf-json", perf});
  };
  expect_refused(both(at("v.y4m"), at("v.y4m")),
                 "--perf-json: " + at("v.y4m") + " is the file of the video; choose another");
  expect_refused(both(at("a/v.y4m"), at("b/v.y4m")), "is the file of the video; choose another");
  expect_refused(both(at("a/../a/v.y4m"), at("a/v.y4m")), "is the file of the video; choose another");
  std::filesystem::create_directories(at("frames"));
  expect_refused(both(at("frames/"), at("frames/perf.json")),
                 "--perf-json lies in the folder " + at("frames") + ", which is replaced as the file of the video");
}

TEST_F(Outputs, OtherCommandsTellTheirOutputsApartToo) {
  const std::string prompts = folder_.write("prompts.json", "a red circle\n").string();
  std::filesystem::create_symlink(prompts, at("link.svg"));
  const auto bench = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"--attention", "FORMULA,SWIFT", "--prompt-file", prompts};
    all.insert(all.end(), more.begin(), more.end());
    return run(request("bench", all));
  };
  expect_refused(bench({"--json", prompts}), "--json: " + prompts + " is read by this run (--prompt-file)");
  expect_refused(bench({"--plot", at("link.svg")}), "is read by this run (--prompt-file)");
  std::filesystem::create_directories(at("folder.json"));
  expect_refused(bench({"--json", at("folder.json")}), "--json: " + at("folder.json") + " exists and is not a file");
  EXPECT_EQ(read(prompts), "a red circle\n");
}

TEST_F(Outputs, AMountPointIsRefused) {
  folder_.write("other.y4m", "what was here");
  folder_.write("video.y4m", "and here");
  std::filesystem::create_directories(at("frames"));
  const auto mounted = [&](const std::string& from, const std::string& to, const std::vector<std::string>& more) {
    return generate_in("exec unshare --mount sh -c 'mount --bind \"$1\" \"$2\" || exit 77; shift 2; exec \"$@\"' sh " +
                           from + " " + to + " \"$@\"",
                       more);
  };
  const CommandResult file = mounted(at("other.y4m"), at("video.y4m"), {});
  if (file.status.code == 77 || file.error_output.find("unshare") != std::string::npos)
    GTEST_SKIP() << "needs the right to mount";
  expect_refused(file, "video.y4m is a mount point, which nothing can replace: mount its folder and not the file");
  expect_refused(mounted(at("frames"), at("frames"), {"--output-path", at("frames/")}),
                 "frames is a mount point, which nothing can replace: choose a folder inside it");
  EXPECT_EQ(read(at("other.y4m")), "what was here");
}

TEST_F(Outputs, AFlagThatIsGivenTwiceIsRefusedWithBothValues) {
  expect_refused(run(request("generate", {"--prompt", "a", "--prompt", "b"})),
                 "--prompt is given twice, as 'a' and as 'b'");
  expect_refused(generate({"--num-frames", "5", "--num-frames", "9"}),
                 "--num-frames is given twice, as '5' and as '9'");
  expect_refused(generate({"--set", "attention.self_test=true", "--set", "attention.self_test=false"}),
                 "--set attention.self_test is given twice, as 'true' and as 'false'");
  expect_refused(generate({"--attention-backend", "dit.self=SWIFT", "--attention-backend", "dit.self=FORMULA"}),
                 "--attention-backend is given twice, as 'SWIFT' and as 'FORMULA'");
  expect_refused(run(request("bench", {"--json", "a.json", "--json", "b.json"})),
                 "--json is given twice, as 'a.json' and as 'b.json'");
  const CommandResult pasted = run(request("generate", {"--prompt", std::string(120'000, 'a'), "--prompt", "b"}));
  expect_refused(pasted, "--prompt is given twice");
  EXPECT_LT(pasted.error_output.size(), 2000U);
  // Lists and roles are given piece by piece.
  EXPECT_EQ(generate({"--attention-backend", "dit.self=SWIFT", "--attention-backend", "dit.cross=FORMULA"}).status.code,
            0);
}

TEST_F(Outputs, APromptThatIsNotUtf8IsRefusedAtOnceWithItsLine) {
  const std::string file = folder_.write("prompts.txt", "a cat\n# a comment \xe9\n\na caf\xe9 in Paris\n").string();
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"generate", "--model-path", "/no/such/model", "--output-path", output().string()};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  expect_refused(with({"--prompt-file", file}), file + ":4: not UTF-8: byte 0xE9 at column 6");
  expect_refused(with({"--prompt", "caf\xe9"}), "--prompt: not UTF-8: byte 0xE9 at column 4");
  const std::string wide = folder_
                               .write("wide.txt", std::string("\xff\xfe"
                                                              "a\0",
                                                              4))
                               .string();
  expect_refused(with({"--prompt-file", wide}), wide + ": is UTF-16");
}

TEST(NumberedOutput, KeepsFolderAndExtension) {
  EXPECT_EQ(numbered_output("out/video.mp4", 0, 1), "out/video.mp4");
  EXPECT_EQ(numbered_output("out/video.mp4", 0, 2), "out/video_1.mp4");
  EXPECT_EQ(numbered_output("out/video.mp4", 8, 12), "out/video_09.mp4");
  EXPECT_EQ(numbered_output("video.mp4", 11, 12), "video_12.mp4");
  EXPECT_EQ(numbered_output("out/frames/", 0, 2), "out/frames_1/");
  EXPECT_EQ(numbered_output("frames", 1, 2), "frames_2");
}

}  // namespace
}  // namespace fastvideo::host
