// The program from outside.
#include <signal.h>

#include <map>
#include <regex>
#include <thread>

#include "host/cli/program_fixture.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::kTimeout;
using test::Program;
using test::read;

// ---- Generating -----------------------------------------------------------------------------------------------------

TEST_F(Program, MakesAVideo) {
  const CommandResult result = generate();
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  const std::string video = read(output());
  EXPECT_TRUE(video.starts_with("YUV4MPEG2 W12 H8 F16:1 "));
  const size_t frame_bytes = std::string("FRAME\n").size() + size_t{3} * 12 * 8;
  EXPECT_EQ(video.size(), video.find('\n') + 1 + 5 * frame_bytes);
  EXPECT_TRUE(contains(result.output, "video.y4m: 5 frames of 12x8"));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("denoise +[0-9.]+ m?s +3 steps")));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("dit.self +SWIFT/cpu \\(swift_kernel\\) +12 calls")));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("text.self +FORMULA/cpu +2 calls")));
  EXPECT_TRUE(contains(result.error_output, "dit.self: SWIFT/cpu (swift_kernel), auto"));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("peak memory +[0-9.]+ MiB")));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("seed +7")));
}

TEST_F(Program, TheSeedDecides) {
  ASSERT_EQ(generate().status.code, 0);
  const std::string first = read(output());
  ASSERT_EQ(generate().status.code, 0);
  EXPECT_TRUE(read(output()) == first);
  ASSERT_EQ(generate({"--seed", "8"}).status.code, 0);
  EXPECT_TRUE(read(output()) != first);
}

TEST_F(Program, ASeedThatIsDrawnIsPrintedAndMakesTheVideoAgain) {
  const CommandResult drawn = run(request("generate", {"--prompt", "x"}));
  ASSERT_EQ(drawn.status.code, 0) << drawn.error_output;
  std::smatch seed;
  ASSERT_TRUE(std::regex_search(drawn.output, seed, std::regex("seed +([0-9]+) +drawn"))) << drawn.output;
  const std::string video = read(output());
  ASSERT_EQ(run(request("generate", {"--prompt", "x", "--seed", seed[1]})).status.code, 0);
  EXPECT_TRUE(read(output()) == video);
}

TEST_F(Program, ATokenOrderChangesNothing) {
  ASSERT_EQ(generate().status.code, 0);
  const std::string raster = read(output());
  const CommandResult result = generate({"--attention-backend", "TILED/cpu"});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  const std::string tiled = read(output());
  ASSERT_EQ(tiled.size(), raster.size());
  // Sums in another order may round to the next of 256 levels.
  for (size_t i = 0; i < tiled.size(); ++i)
    ASSERT_LE(std::abs(int{static_cast<uint8_t>(tiled[i])} - int{static_cast<uint8_t>(raster[i])}), 1) << i;
  EXPECT_TRUE(contains(explain({"--attention-backend", "TILED/cpu"}).output, "in an order of the backend's own"));
}

TEST_F(Program, ABackendThatClaimsAllSeesEveryCall) {
  const std::string file = (folder_.path() / "calls").string();
  const std::vector<std::string> recorded{"--attention-backend",      "recorder", "--recorder-file", file, "--set",
                                          "attention.self_test=false"};
  ASSERT_EQ(generate(recorded).status.code, 0);
  // Two layers each; three steps of two branches in the transformer.
  EXPECT_EQ(read(file), "dit.cross 12\ndit.self 12\ntext.self 2\nvae.mid 2\n");
  std::vector<std::string> shorter = recorded;
  shorter.insert(shorter.end(), {"--guidance-scale", "1", "--num-inference-steps", "5"});
  ASSERT_EQ(generate(shorter).status.code, 0);
  EXPECT_EQ(read(file), "dit.cross 10\ndit.self 10\ntext.self 2\nvae.mid 2\n");
}

TEST_F(Program, CachingLeavesPassesOut) {
  const CommandResult result = generate({"--cache-strategy", "every_other"});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(std::regex_search(result.output, std::regex("caching +every_other/policy +2 of 6 passes left out")));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("dit.self +SWIFT/cpu \\(swift_kernel\\) +8 calls")));
  EXPECT_TRUE(contains(generate({"--enable-every-other"}).output, "2 of 6 passes left out"));
  EXPECT_TRUE(contains(explain({"--enable-every-other"}).output, "decided step by step, by latent.in"));
  expect_refused(generate({"--cache-strategy", "every_other", "--num-inference-steps", "1"}),
                 "one step leaves nothing to skip; take two");
}

TEST_F(Program, WhatIsCorrectedIsSaid) {
  const CommandResult result = generate({"--num-frames", "8"});
  ASSERT_EQ(result.status.code, 0);
  EXPECT_TRUE(contains(result.error_output, "num_frames: 5 instead of 8, frames are 1 plus a multiple of 4"));
}

TEST_F(Program, ASubstituteIsLoggedWithItsReason) {
  const std::string config = folder_.write("c.toml", "[attention]\nfallback = [\"TILED\", \"FORMULA\"]\n").string();
  const CommandResult result = generate({"--config", config, "--attention-backend", "SWIFT/picky"});
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  EXPECT_TRUE(contains(result.error_output,
                       "dit.self: TILED/cpu stands in for SWIFT/picky, asked for by "
                       "--attention-backend, as [attention] fallback permits (SWIFT/picky: head "
                       "size 7 only)"));
  EXPECT_TRUE(contains(result.error_output, "dit.cross: FORMULA/cpu stands in for"));
}

// ---- Failing --------------------------------------------------------------------------------------------------------

TEST_F(Program, WhateverGoesWrongAnEarlierVideoStays) {
  const std::map<std::string, std::string> faults = {
      {"fails", "fake/cpu: the weights are rotten"},
      {"no_video", "the pipeline ended without a video"},
      {"few_frames", "the pipeline ended after 4 of the 5 frames that it announced"},
      {"many_frames", "the pipeline gave more frames than the 5 that it announced"},
      {"ignores_errors", ""},
      {"wrong_shape", "gave uint8 [1, 9, 12, 3] on cpu as frames, which are uint8 [frames, 8, 12, 3] on the CPU"},
      {"early_frames", "the pipeline gave frames before it announced a video"}};
  for (const auto& [behaviour, message] : faults) {
    folder_.write("video.y4m", "what was here");
    const CommandResult result = generate({"--behaviour", behaviour});
    if (message.empty()) continue;
    EXPECT_EQ(result.status.code, 1) << behaviour << result.error_output;
    EXPECT_TRUE(contains(result.error_output, message));
    EXPECT_EQ(read(output()), "what was here") << behaviour;
  }
  const CommandResult attention =
      generate({"--attention-backend", "SWIFT", "--swift-fault", "run", "--set", "attention.self_test=false"});
  EXPECT_EQ(attention.status.code, 1);
  EXPECT_TRUE(contains(attention.error_output, "SWIFT/cpu at dit.self: run broke in layer 0"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_FALSE(contains(entry.path().string(), ".partial")) << entry.path();
}

TEST_F(Program, CtrlCEndsTheRun) {
  folder_.write("video.y4m", "what was here");
  for (const int signal : {SIGINT, SIGTERM}) {
    ChildProcess child(program_, request("generate", {"--prompt", "x", "--behaviour", "waits"}));
    for (int i = 0; i < 2000 && child.error_output().find("waiting") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    kill(child.pid(), signal);
    const auto status = child.wait(nullptr, kTimeout);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->code, 128 + signal) << child.error_output();
    EXPECT_TRUE(contains(child.error_output(), "cancelled at wait 0/1000, no video was written"));
  }
  EXPECT_EQ(read(output()), "what was here");
}

// ---- Refusing -------------------------------------------------------------------------------------------------------

TEST_F(Program, ABackendThatCannotServeIsRefusedWithTheTable) {
  expect_refused(generate({"--attention-backend", "SWIFT/gpu"}), "\n    SWIFT/gpu  runs on cuda, not on cpu\n");
  expect_refused(generate({"--attention-backend", "SWIFTY"}),
                 "'SWIFTY', asked for by --attention-backend; did you mean 'SWIFT'?\n    FORMULA/cpu   usable: ");
  setenv("FASTVIDEO_ATTENTION_BACKEND", "nope", 1);
  expect_refused(generate(), "'nope', asked for by FASTVIDEO_ATTENTION_BACKEND");
  unsetenv("FASTVIDEO_ATTENTION_BACKEND");
  expect_refused(generate({"--attention-backend", "text.slef=SWIFT"}), "attention.roles.text.slef");
}

TEST_F(Program, TwoTokenOrdersAreRefused) {
  const std::vector<std::string> both{"--behaviour",         "joint",
                                      "--attention-backend", "dit.self=TILED/cpu",
                                      "--attention-backend", "dit.joint=TILED/other"};
  expect_refused(generate(both),
                 "TILED/cpu at dit.self and TILED/other at dit.joint want the video tokens in different "
                 "orders");
  expect_refused(explain(both), "want the video tokens in different orders");
}

TEST_F(Program, ExplainsWithoutAPrompt) {
  const CommandResult any = run(request("explain", {}));
  EXPECT_EQ(any.status.code, 0) << any.error_output;
  EXPECT_TRUE(contains(any.output, "prompt               any\n")) << any.output;
}

TEST_F(Program, ImpossibleRequestsAreRefused) {
  expect_refused(run(request("generate", {})), "no prompt is given");
  expect_refused(generate({"--behaviour", "refuses"}), "fake/cpu: height 7 is impossible, 8 is possible");
  expect_refused(generate({"--height", "65"}), "--height");
  expect_refused(generate({"--height", "tall"}), "--height");
  expect_refused(run(request("generate", {"--prompt", "x", "--seed"})), "--seed");
  expect_refused(generate({"--device", "tpu"}), "'tpu' is no device; there are cpu, cuda, cuda:N and auto");
  expect_refused(generate({"--hieght", "8"}), "there is no flag --hieght; did you mean '--height'?");
  expect_refused(generate({"circle"}), "'circle' is one word too many");
  expect_refused(run({"generat"}), "there is no command 'generat'; did you mean 'generate'?");
  expect_refused(run({"plugins", "show"}), "NAME");
  expect_refused(generate({"--set", "attention.backnd=X"}), "did you mean 'attention.backend'?");
  expect_refused(generate({"--set", "attention.backend"}), "give a setting and its value");
  expect_refused(generate({"--config", "/no/such/file.toml"}), "/no/such/file.toml");
  const std::string config = folder_.write("c.toml", "[attention]\nbackend = 3\n").string();
  expect_refused(generate({"--config", config}), "c.toml:2:1: attention.backend");
}

TEST_F(Program, MoreMemoryThanThereIsIsRefused) {
  expect_refused(generate({"--gibibytes", "1000000"}), "the stage 'denoise' needs about 977 TiB, and cpu has ");
  EXPECT_EQ(generate({"--gibibytes", "1000000", "--set", "run.memory_check=false"}).status.code, 0);
  const CommandResult explained = explain({"--gibibytes", "1000000"});
  EXPECT_EQ(explained.status.code, 0);
  EXPECT_TRUE(contains(explained.output, "refused by generate: the stage 'denoise' needs about 977 TiB"));
}

TEST_F(Program, AFlagWithoutEffectIsRefused) {
  expect_refused(generate({"--attention-backend", "FORMULA", "--swift-fault", "none"}),
                 "--swift-fault (attention.SWIFT.fault) would have no effect: no site of this run is served by SWIFT");
  expect_refused(generate({"--every-other-fault", "none"}),
                 "--every-other-fault (cache.every_other.fault) would have no effect: the caching strategy is none");
  expect_refused(generate({"--attention-backend", "image.self=FORMULA"}),
                 "would have no effect: this model has no attention of the role image.self; its roles are ");
  // In a file, which serves many models, it waits for its own.
  const std::string file = folder_.write("image.toml", "[attention.roles]\n\"image.self\" = \"FORMULA\"\n").string();
  EXPECT_EQ(generate({"--config", file}).status.code, 0);
}

TEST_F(Program, APluginThatIsDisabledIsNamedWhereItIsMissed) {
  const std::string file =
      folder_.write("off.toml", "[plugins]\ndisable = [\"org.fastvideo.test.attention\", \"no.such\"]\n").string();
  const CommandResult result = generate({"--config", file, "--swift-fault", "none"});
  EXPECT_EQ(result.status.code, 2);
  EXPECT_TRUE(contains(result.error_output, "there is no flag --swift-fault"));
  EXPECT_TRUE(contains(result.error_output,
                       "SWIFT/cpu is not offered: org.fastvideo.test.attention is listed in [plugins] disable"));
  EXPECT_TRUE(contains(result.error_output, "plugins.disable: no plugin has the id 'no.such'"));
}

TEST_F(Program, ABadOutputIsRefusedBeforeAnythingElse) {
  const auto with_output = [&](const std::string& path) {
    return run({"generate", "--prompt", "x", "--model-path", "/no/such/model", "--output-path", path});
  };
  expect_refused(with_output("/no/such/folder/video.y4m"), "/no/such/folder");
  expect_refused(with_output((folder_.path() / "video.avi").string()), "avi");
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.path().c_str(), 1);
  expect_refused(with_output((folder_.path() / "video.mp4").string()), "ffmpeg");
  setenv("PATH", path.c_str(), 1);
}

TEST_F(Program, BadModelFoldersAreRefused) {
  const auto with_model = [&](const std::string& folder) {
    return run({"generate", "--plugin-dir", FASTVIDEO_TEST_PLUGINS, "--prompt", "x", "--model-path", folder,
                "--output-path", output().string()});
  };
  const std::string root = folder_.path().string();
  expect_refused(run({"generate", "--prompt", "x", "--output-path", output().string()}), "--model-path FOLDER");
  expect_refused(with_model(root + "/nothing"), "cannot be opened: No such file or directory");
  expect_refused(with_model(root), "has no model_index.json");
  folder_.write("torn/model_index.json", R"({"_class_name": )");
  expect_refused(with_model(root + "/torn"), "is not JSON");
  folder_.write("list/model_index.json", R"(["_class_name"])");
  expect_refused(with_model(root + "/list"), "no text under _class_name");
  folder_.write("other/model_index.json", R"({"_class_name": "OtherPipeline"})");
  expect_refused(with_model(root + "/other"),
                 "no installed pipeline serves the class OtherPipeline; served are FakePipeline");
  folder_.write("refused/model_index.json", R"({"_class_name": "FakePipeline"})");
  folder_.write("refused/broken", "");
  expect_refused(with_model(root + "/refused"), "fake/cpu: " + root + "/refused/broken is here");
}

// ---- Telling --------------------------------------------------------------------------------------------------------

TEST_F(Program, ExplainTellsWhatRunsAndWhy) {
  const std::string config =
      folder_.write("c.toml", "[attention]\nbackend = \"FORMULA\"\n[attention.roles]\n\"dit.cross\" = \"RECORDER\"\n")
          .string();
  setenv("FASTVIDEO_ATTENTION_BACKEND", "TILED", 1);
  const CommandResult result = explain({"--config", config, "--attention-backend", "swift", "--num-frames", "8"});
  unsetenv("FASTVIDEO_ATTENTION_BACKEND");
  ASSERT_EQ(result.status.code, 0) << result.error_output;
  const std::string& text = result.output;
  EXPECT_TRUE(contains(text, "fake/cpu of org.fastvideo.test.pipeline"));
  EXPECT_TRUE(contains(text, "/fake_pipeline/libfake_pipeline.so"));
  EXPECT_TRUE(contains(text, "SWIFT/cpu (swift_kernel), reordered"));
  EXPECT_TRUE(contains(text, "/fake_attention/libfake_attention.so"));
  EXPECT_TRUE(contains(text, "swift, asked for by --attention-backend, for all roles it claims"));
  EXPECT_TRUE(contains(text, "TILED of FASTVIDEO_ATTENTION_BACKEND, for all roles it claims"));
  EXPECT_TRUE(contains(text, "FORMULA of " + config + ":2:1, for all roles it claims"));
  EXPECT_TRUE(contains(text, "RECORDER of " + config + ":4:1, for this role"));
  EXPECT_TRUE(contains(text, "FORMULA, asked for by --set attention.default, for roles that nothing claims"));
  EXPECT_TRUE(std::regex_search(
      text, std::regex("self-test +relative error [0-9.e-]+ against float64 \\(at most [0-9.e-]+\\), [0-9.e+]+ ms")));
  EXPECT_TRUE(contains(text, "1.00 KiB resident, 4.00 KiB scratch"));
  EXPECT_TRUE(contains(text, "--num-frames; 5 is used: frames are 1 plus a multiple of 4"));
  EXPECT_TRUE(std::regex_search(text, std::regex("weights of transformer +118 MiB")));
  EXPECT_TRUE(std::regex_search(text, std::regex("attention +6.00 KiB +2.00 KiB resident, 4.00 KiB scratch"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("peak of denoise +10.0 KiB +the most")));
  EXPECT_TRUE(contains(text, "3 steps of 2 branches, 2 blocks"));
  EXPECT_FALSE(std::filesystem::exists(output()));
}

TEST_F(Program, ListsAndShowsPlugins) {
  const CommandResult list = run({"plugins", "--plugin-dir", FASTVIDEO_TEST_PLUGINS});
  ASSERT_EQ(list.status.code, 0);
  EXPECT_TRUE(std::regex_search(list.output, std::regex("FORMULA/cpu +org.fastvideo.test.attention 1.0.0 +for cpu ")));
  EXPECT_TRUE(
      std::regex_search(list.output, std::regex("SWIFT/gpu +org.fastvideo.test.attention 1.0.0 +for cuda sm90 ")));
  EXPECT_TRUE(std::regex_search(list.output, std::regex("every_other/policy +org.fastvideo.test.cache 1.0.0")));
  const CommandResult show = run({"plugins", "show", "swift", "--plugin-dir", FASTVIDEO_TEST_PLUGINS});
  ASSERT_EQ(show.status.code, 0);
  EXPECT_TRUE(contains(show.output, "attention SWIFT/gpu: Would need a GPU"));
  EXPECT_TRUE(contains(show.output, "attention.SWIFT.fault"));
  EXPECT_TRUE(contains(show.output, "--swift-fault"));
  expect_refused(run({"plugins", "show", "swft", "--plugin-dir", FASTVIDEO_TEST_PLUGINS}), "did you mean 'SWIFT'?");
}

TEST_F(Program, SaysWhatAnItemLacksAndHowToInstallIt) {
  folder_.write("plugins/needy/libneedy.so", "");
  folder_.write("plugins/needy/plugin.toml",
                "manifest = 1\nid = \"org.example.needy\"\nversion = \"1\"\nabi = \"0.1\"\n[[item]]\n"
                "kind = \"attention\"\nname = \"SWIFT\"\nimplementation = \"needy\"\nlibrary = \"libneedy.so\"\n"
                "summary = \"s\"\n[[item.option]]\nname = \"operators\"\ntype = \"string\"\nhelp = \"h\"\n"
                "[[item.installed]]\noption = \"operators\"\npython = \"one_package/_C*.so\"\n"
                "what = \"The package\"\ninstall = \"pip install one\"\n");
  const std::string lacks =
      "The package is not installed: no one_package/_C*.so in PYTHONPATH, nor a LibTorch in [libraries] path; pip "
      "install one, or name the file: [attention.SWIFT] operators";
  const std::vector<std::string> with_needy{"--plugin-dir", (folder_.path() / "plugins").string()};
  const auto about = [&](std::vector<std::string> command) {
    command.insert(command.end(), with_needy.begin(), with_needy.end());
    const CommandResult result = run(command);
    EXPECT_EQ(result.status.code, 0) << result.error_output;
    return result.output;
  };
  unsetenv("PYTHONPATH");
  const std::string list = about({"plugins"});
  EXPECT_TRUE(std::regex_search(list, std::regex("SWIFT/needy +org.example.needy 1 +for cpu, cuda; incomplete ")));
  EXPECT_TRUE(contains(list, "incomplete\n  SWIFT/needy  " + lacks));
  const std::string shown = about({"plugins", "show", "SWIFT/needy"});
  EXPECT_TRUE(contains(shown, lacks));
  EXPECT_TRUE(contains(shown, "The package: one_package/_C*.so"));
  EXPECT_TRUE(contains(about({"doctor"}), lacks));
  const CommandResult explained = explain({with_needy[0], with_needy[1], "--attention-backend", "SWIFT"});
  EXPECT_EQ(explained.status.code, 0) << explained.error_output;
  EXPECT_TRUE(contains(explained.output, "SWIFT/needy: " + lacks));
  EXPECT_TRUE(contains(explained.output, "SWIFT/gpu: runs on cuda, not on cpu"));
  expect_refused(explain({with_needy[0], with_needy[1], "--attention-backend", "SWIFT/needy"}), lacks);

  folder_.write("python/one_package/_C.abi3.so", "");
  setenv("PYTHONPATH", (folder_.path() / "python").c_str(), 1);
  EXPECT_FALSE(about({"plugins"}).find("incomplete") != std::string::npos);
  unsetenv("PYTHONPATH");
}

TEST_F(Program, AFlagOfTwoMeaningsIsRefusedNamingBoth) {
  const auto plugin = [&](const std::string& name, const std::string& option) {
    folder_.write("plugins/" + name + "/plugin.toml",
                  "manifest = 1\nid = \"org.example." + name + "\"\nversion = \"1\"\nabi = \"0.1\"\n[[item]]\n" +
                      "kind = \"attention\"\nname = \"" + name + "\"\nimplementation = \"x\"\nlibrary = \"lib.so\"\n" +
                      "summary = \"s\"\n[[item.option]]\nname = \"" + option +
                      "\"\ntype = \"int\"\nhelp = \"h\"\nflag = \"--same\"\n");
  };
  plugin("one", "a");
  plugin("two", "b");
  const CommandResult result = run({"generate", "--plugin-dir", (folder_.path() / "plugins").string(), "--same", "1"});
  expect_refused(result, "there is no flag --same");
  EXPECT_TRUE(contains(result.error_output, "one/x"));
  EXPECT_TRUE(contains(result.error_output, "two/x"));
}

TEST_F(Program, SaysWhatItIs) {
  const CommandResult nothing = run({});
  EXPECT_EQ(nothing.status.code, 0);
  EXPECT_TRUE(contains(nothing.output, "Usage: fastvideo"));
  EXPECT_LT(std::count(nothing.output.begin(), nothing.output.end(), '\n'), 40);
  const CommandResult version = run({"--version"});
  EXPECT_EQ(version.status.code, 0);
  EXPECT_EQ(version.output, "fastvideo " FASTVIDEO_VERSION "\n");
  const CommandResult help = run({"generate", "--help", "--plugin-dir", FASTVIDEO_TEST_PLUGINS});
  EXPECT_EQ(help.status.code, 0);
  EXPECT_TRUE(contains(help.output, "--num-inference-steps INT"));
  const CommandResult config = run({"--print-default-config"});
  EXPECT_EQ(config.status.code, 0);
  EXPECT_EQ(config.output, read(FASTVIDEO_SOURCE_DIR "/config/fastvideo.toml"));
}

TEST_F(Program, LinksNeitherLibTorchNorCuda) {
  const auto readelf = find_program("readelf");
  ASSERT_TRUE(readelf.has_value()) << "readelf comes with the compiler";
  const CommandResult result = run_command(*readelf, {"-d", FASTVIDEO_PROGRAM}, kTimeout);
  ASSERT_EQ(result.status.code, 0);
  std::string needed;  // other lines have addresses, which may spell "c10"
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);)
    if (line.find("(NEEDED)") != std::string::npos) needed += line.substr(line.find("(NEEDED)")) + "\n";
  EXPECT_TRUE(contains(needed, "libfastvideo.so"));
  for (const char* name : {"torch", "c10", "cuda", "cublas", "cudnn", "sentencepiece"})
    EXPECT_EQ(needed.find(name), std::string::npos) << name << " in\n" << needed;
}

}  // namespace
}  // namespace fastvideo::host
