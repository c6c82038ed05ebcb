// Whole benches over the test plugins: measurements, comparisons, output files and refusals.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "tools/bench/report.hpp"
#include "tools/bench/side_by_side.hpp"
#include "tools/bench/test_bench.hpp"

namespace fastvideo::host {
namespace {

using nlohmann::json;
using test::contains;
using test::refusal;
using test::TestBench;

std::string read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// A matrix of three settings, the second of which behaves as the test says.
std::string matrix(const TestBench& bench, const std::string& behaviour, const std::string& reference = "plain") {
  return bench.write("m.toml", "reference = \"" + reference +
                                   "\"\nrepeat = 2\n[[setting]]\nname = \"plain\"\n[[setting]]\nname = \"odd\"\n"
                                   "request.behaviour = \"" +
                                   behaviour + "\"\n[[setting]]\nname = \"skips\"\ncache.strategy = \"every_other\"\n");
}

TEST(Bench, MeasuresAndCompares) {
  const BenchResult result =
      TestBench().run({.attention = {"FORMULA,SWIFT"}, .cache = {"none,every_other"}, .seeds = {"1,2"}, .repeat = "2"});
  ASSERT_EQ(result.outcomes.size(), 4U);
  for (const BenchOutcome& outcome : result.outcomes) {
    EXPECT_EQ(outcome.failure, "");
    ASSERT_EQ(outcome.runs.size(), 4U) << "two rounds of two seeds";
    const SettingFigures figures = figures_of(result, outcome);
    // 3 steps of 2 branches, of which the strategy leaves the second step out.
    EXPECT_EQ(figures.passes, 6U);
    EXPECT_EQ(figures.passes_computed, outcome.name.ends_with("none") ? 6 : 4);
    ASSERT_EQ(figures.stages.size(), 4U);
    EXPECT_EQ(figures.main_stage().name, "denoise");
    const Spread& all = figures.stages.back().seconds;
    EXPECT_LE(all.least, all.median);
    EXPECT_LE(all.median, all.most);
    EXPECT_GT(figures.main_stage().seconds.median, 0);
    ASSERT_TRUE(figures.peak_memory.has_value());
    EXPECT_GT(*figures.peak_memory, 1U << 20);
  }
  EXPECT_FALSE(result.outcomes[0].quality.has_value()) << "the exact run";
  EXPECT_LT(result.outcomes[2].quality->mean_squared_error, 1.0) << "the same formula";
  EXPECT_GT(result.outcomes[1].quality->mean_squared_error, 0.0) << "passes were left out";
  EXPECT_LT(*result.outcomes[1].quality->ssim, 1.0);
  EXPECT_TRUE(contains(result.outcomes[2].attention[1], "dit.self SWIFT/cpu"));
}

// Drift over time (warm-up, heat) must not favour a setting: every second round runs backwards.
TEST(Bench, RoundsAlternateTheirOrder) {
  const TestBench bench;
  const BenchResult result = bench.run({.matrix = matrix(bench, "good"), .repeat = "3"});
  std::vector<std::vector<size_t>> numbers;
  for (const BenchOutcome& outcome : result.outcomes) {
    ASSERT_EQ(outcome.failure, "");
    std::vector<size_t>& of = numbers.emplace_back();
    for (const BenchRun& run : outcome.runs) of.push_back(run.number);
  }
  EXPECT_EQ(numbers, (std::vector<std::vector<size_t>>{{1, 6, 7}, {2, 5, 8}, {3, 4, 9}}));
}

TEST(Bench, ASpeedUpIsTheQuotientOfMedians) {
  BenchResult result;
  result.plan.settings.resize(2);
  const auto runs = [](std::initializer_list<double> seconds) {
    std::vector<BenchRun> all;
    for (const double one : seconds) all.push_back({{{"denoise", one, 3}}, one + 1, 2, 4, 100});
    return all;
  };
  result.outcomes = {{"exact", runs({8, 6, 100}), "", {}, {}, {}}, {"fast", runs({2, 2, 4, 1}), "", {}, {}, {}}};
  const SettingFigures figures = figures_of(result, result.outcomes[1]);
  EXPECT_DOUBLE_EQ(*figures.main_stage().speed_up, 4);
  EXPECT_DOUBLE_EQ(*figures.stages.back().speed_up, 3);
  EXPECT_DOUBLE_EQ(figures.main_stage().seconds.least, 1);
  EXPECT_DOUBLE_EQ(figures.main_stage().seconds.most, 4);
  result.outcomes[0].failure = "broke";
  EXPECT_FALSE(figures_of(result, result.outcomes[1]).main_stage().speed_up.has_value());
}

TEST(Bench, AFailureEndsItsSettingAlone) {
  const TestBench bench;
  const BenchReport report = bench.command({.matrix = matrix(bench, "fails"), .json = bench.path("r.json")});
  EXPECT_EQ(report.failure, "settings that failed: 'odd'");
  EXPECT_TRUE(contains(report.text, "odd: failed: fake/cpu: the weights are rotten"));
  const json settings = json::parse(read(bench.path("r.json")))["settings"];
  EXPECT_EQ(settings[1]["failure"], "fake/cpu: the weights are rotten");
  EXPECT_FALSE(settings[1].contains("stages"));
  EXPECT_TRUE(settings[2]["stages"][1]["speed_up"].is_number());
  EXPECT_TRUE(settings[2]["psnr_db"].is_number());
}

TEST(Bench, NothingIsComparedWithAReferenceThatFailed) {
  const TestBench bench;
  const BenchReport report = bench.command(
      {.matrix = matrix(bench, "fails", "odd"), .json = bench.path("r.json"), .plot = bench.path("p.svg")});
  EXPECT_EQ(report.failure, "settings that failed: 'odd'");
  EXPECT_TRUE(contains(report.text, "The exact run ('odd') failed: nothing is compared with it."));
  // Neither denoising nor the whole run has a speed-up.
  for (const char* setting : {"plain", "skips"}) {
    const std::string row = std::string("  ") + setting + " +[0-9.]+ m?s \\([0-9. to]+\\)  +- +[0-9.]+ m?s  +-  ";
    EXPECT_TRUE(std::regex_search(report.text, std::regex(row))) << report.text;
  }
  const json settings = json::parse(read(bench.path("r.json")))["settings"];
  for (const int i : {0, 2}) {
    EXPECT_GT(settings[i]["stages"][1]["median_seconds"], 0);
    for (const json& stage : settings[i]["stages"]) EXPECT_TRUE(stage["speed_up"].is_null());
    EXPECT_TRUE(settings[i]["psnr_db"].is_null());
    EXPECT_TRUE(settings[i]["ssim"].is_null());
  }
  EXPECT_EQ(read(bench.path("p.svg")).find("<circle"), std::string::npos);
}

TEST(Bench, ClipsOfAnotherShapeAreNotCompared) {
  const TestBench bench;
  const std::string file = bench.write("m.toml",
                                       "repeat = 1\n[[setting]]\nname = \"plain\"\n[[setting]]\nname = \"wide\"\n"
                                       "request.width = 20\n");
  const BenchResult result = bench.run({.matrix = file});
  EXPECT_TRUE(contains(result.outcomes[1].failure,
                       "its video is 5 frames of 20x16, that of the exact run 5 frames of "
                       "16x16"));
}

TEST(Bench, SmallFramesHaveNoSsim) {
  TestBench bench;
  bench.give(test::in_file("request.height", 8));
  const BenchResult result = bench.run({.cache = {"every_other"}, .repeat = "1"});
  EXPECT_TRUE(result.outcomes[1].quality.has_value());
  EXPECT_FALSE(result.outcomes[1].quality->ssim.has_value());
}

TEST(Bench, WritesEverythingItIsAskedFor) {
  const TestBench bench;
  const BenchReport report = bench.command({.attention = {"FORMULA,SWIFT"},
                                            .cache = {"none,every_other"},
                                            .repeat = "1",
                                            .json = bench.path("r.json"),
                                            .plot = bench.path("p.svg"),
                                            .side_by_side = bench.path("s.y4m")});
  EXPECT_EQ(report.failure, "");
  for (const char* part :
       {"model on cpu (", "1 clip, 1 round", "SWIFT every_other", "4 of 6", "exact run", "encode text", "VmHWM"})
    EXPECT_TRUE(contains(report.text, part));
  const json document = json::parse(read(bench.path("r.json")));
  EXPECT_EQ(document["parameters"]["height"], 16);
  EXPECT_EQ(document["prompts"], json({"a red circle"}));
  EXPECT_EQ(document["settings"].size(), 4U);
  EXPECT_EQ(document["settings"][3]["settings"]["cache.strategy"], "every_other");
  EXPECT_EQ(document["settings"][3]["runs"].size(), 1U);
  EXPECT_TRUE(document["settings"][0]["is_reference"]);
  const std::string plot = read(bench.path("p.svg"));
  EXPECT_TRUE(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
  EXPECT_TRUE(contains(plot, ">SWIFT every_other</text>"));
  // Two by two cells of 16 x 16 pixels, 24 more above each for the label and 4 between them.
  EXPECT_TRUE(read(bench.path("s.y4m")).starts_with("YUV4MPEG2 W40 H88 F16:1 "));
}

TEST(Bench, LabelsSayWhatTheClipIs) {
  const BenchResult result = TestBench().run({.cache = {"every_other"}, .repeat = "1"}, true);
  EXPECT_EQ(label_of(result, result.outcomes[0]), (std::vector<std::string>{"none", "exact run"}));
  const std::vector<std::string> label = label_of(result, result.outcomes[1]);
  EXPECT_EQ(label[0], "every_other");
  EXPECT_TRUE(contains(label[1], "x  "));
  EXPECT_TRUE(contains(label[1], " dB"));
  EXPECT_EQ(result.outcomes[1].clip.pixels.size(), 3U * 5 * 16 * 16);
}

TEST(Bench, WhatIsImpossibleIsRefusedBeforeAnyRun) {
  TestBench bench;
  const auto refused = [&](const BenchFlags& flags, const std::string& part) {
    EXPECT_TRUE(contains(refusal([&] { bench.command(flags); }), part));
  };
  refused({.attention = {"TILED/cpu,FORMULA"}}, "the exact run cannot use TILED/cpu at dit.self, which is approximate");
  refused({.attention = {"FORMULA,SWIFT/picky"}}, "setting 'SWIFT/picky none': ");
  refused({.matrix = matrix(bench, "good", "skips")}, "the exact run cannot use caching (every_other/policy)");
  refused({.matrix = matrix(bench, "refuses")}, "setting 'odd': fake/cpu: height 7 is impossible, 8 is possible");
  refused({.cache = {"every_other"}, .json = bench.path("r.txt")}, "a name that ends in .json is needed");
  refused({.cache = {"every_other"}, .plot = "/no/such/folder/p.svg"}, "/no/such/folder does not exist");
  bench.give(test::flag("request.num_inference_steps", "1"));
  refused({.cache = {"every_other"}}, "setting 'every_other': caching with every_other/policy is not possible here");
  EXPECT_FALSE(std::filesystem::exists(bench.path("r.json")));
}

TEST(Bench, CanBeCancelled) {
  TestBench bench;
  bench.cancel().request();
  EXPECT_THROW(bench.run({.cache = {"every_other"}}), CancelledError);
}

}  // namespace
}  // namespace fastvideo::host
