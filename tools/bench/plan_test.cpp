#include <gtest/gtest.h>

#include "tools/bench/test_bench.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;
using test::TestBench;

std::vector<std::string> names_of(const BenchPlan& plan) {
  std::vector<std::string> names;
  for (const BenchSetting& setting : plan.settings) names.push_back(setting.name);
  return names;
}

std::string given_of(const BenchSetting& setting) {
  std::string text;
  for (const Given& one : setting.given) text += one.path + "=" + one.value.string() + " ";
  return text;
}

TEST(BenchPlan, EveryBackendWithEveryStrategy) {
  const BenchPlan plan =
      TestBench().plan({.attention = {"SWIFT,TILED/cpu:order=rotate"}, .cache = {"none", "every_other"}});
  EXPECT_EQ(names_of(plan), (std::vector<std::string>{"SWIFT none", "SWIFT every_other", "TILED/cpu:order=rotate none",
                                                      "TILED/cpu:order=rotate every_other"}));
  EXPECT_EQ(plan.reference, 0U);
  EXPECT_EQ(given_of(plan.settings[3]),
            "attention.backend=TILED/cpu attention.TILED.order=rotate cache.strategy=every_other ");
  EXPECT_EQ(plan.prompts, std::vector<std::string>{"a red circle"});
  EXPECT_EQ(plan.seeds, std::vector<uint64_t>{0});
  EXPECT_EQ(plan.rounds, 3);
}

TEST(BenchPlan, TheExactRunIsAddedOrFound) {
  EXPECT_EQ(names_of(TestBench().plan({.cache = {"every_other"}})), (std::vector<std::string>{"none", "every_other"}));
  const BenchPlan last = TestBench().plan({.cache = {"every_other,NONE"}});
  EXPECT_EQ(names_of(last), (std::vector<std::string>{"every_other", "NONE"}));
  EXPECT_EQ(last.reference, 1U);
}

TEST(BenchPlan, PromptsAndSeedsOfFlags) {
  TestBench bench;
  const std::string file = bench.write("prompts.txt", "one\r\n\ntwo\n");
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.cache = {"every_other"}, .prompt_file = file}); }), "leave one out"));
  bench.take_back("request.prompt");
  const BenchPlan plan =
      bench.plan({.cache = {"every_other"}, .prompt_file = file, .seeds = {"3,4", "5"}, .repeat = "7"});
  EXPECT_EQ(plan.prompts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(plan.seeds, (std::vector<uint64_t>{3, 4, 5}));
  EXPECT_EQ(plan.rounds, 7);
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.cache = {"every_other"}}); }), "no prompt is given"));
  const std::string empty = bench.write("empty.txt", "\n\n");
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.cache = {"every_other"}, .prompt_file = empty}); }), "no prompt"));
}

TEST(BenchPlan, AMatrixFile) {
  TestBench bench;
  bench.take_back("request.prompt");
  const std::string file = bench.write("m.toml",
                                       "prompts = [\"one\"]\nseeds = [4, 5]\nrepeat = 2\nreference = \"plain\"\n"
                                       "[[setting]]\nname = \"skips\"\ncache.strategy = \"every_other\"\n"
                                       "[[setting]]\nname = \"plain\"\nrequest.num_inference_steps = 6\n"
                                       "attention.roles.\"dit.self\" = \"SWIFT\"\n");
  const BenchPlan plan = bench.plan({.matrix = file});
  EXPECT_EQ(names_of(plan), (std::vector<std::string>{"skips", "plain"}));
  EXPECT_EQ(plan.reference, 1U);
  EXPECT_EQ(plan.seeds, (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ(plan.rounds, 2);
  EXPECT_EQ(plan.settings[1].given[0].path, "request.num_inference_steps");
  EXPECT_EQ(plan.settings[1].given[1].path, "attention.roles.dit.self");
}

TEST(BenchPlan, MatrixFilesThatAreRefused) {
  const TestBench bench;
  const std::string two = "[[setting]]\nname = \"a\"\n[[setting]]\nname = \"b\"\n";
  const auto refused = [&](const std::string& text, const std::string& part) {
    EXPECT_TRUE(contains(refusal([&] { bench.plan({.matrix = bench.write("m.toml", text)}); }), part)) << text;
  };
  refused("", "has no [[setting]]");
  refused("[[setting]]\nname = \"a\"\n", "one setting alone");
  refused("[[setting]]\nname = \"a\"\n[[setting]]\nname = \"a\"\n", "'a' is there twice");
  refused("reference = \"c\"\n" + two, "m.toml:1:1: no setting is called 'c'");
  refused("[[setting]]\ncache.strategy = \"none\"\n", "the setting has no name");
  refused("[[setting]]\nname = \"a\"\nlog.level = \"INFO\"\n", "m.toml:3:1: 'log' is no part of a setting");
  refused("[[setting]]\nname = \"a\"\nrequest.seed = 3\n", "request.seed is the same for all settings");
  refused("rounds = 3\n" + two, "'rounds' is not known");
  refused("repeat = 0\n" + two, "repeat is 0; possible are 1 to 1000");
  refused("repeat = \"3\"\n" + two, "a whole number is needed");
  refused("seeds = [-1]\n" + two, ": seeds: -1 is out of range; allowed: int from 0 to 18446744073709551615");
  refused("seeds = []\n" + two, "at least one element");
  refused("prompts = [\"x\"]\n" + two, "leave one out");
  refused("setting = 3\n", "at least one element");
  refused("[[setting]\n", "m.toml:1:");
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.matrix = "/no/such.toml"}); }), "/no/such.toml"));
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.cache = {"none"}, .matrix = "m.toml"}); }), "leave one out"));
}

TEST(BenchPlan, FlagsThatAreRefused) {
  const TestBench bench;
  const auto refused = [&](const BenchFlags& flags, const std::string& part) {
    EXPECT_TRUE(contains(refusal([&] { bench.plan(flags); }), part));
  };
  refused({}, "nothing to compare: --cache none,teacache:0.05");
  refused({.cache = {"none"}}, "one setting alone");
  refused({.cache = {"every_other,every_other"}}, "'every_other' is there twice");
  refused({.cache = {"every_other,,none"}}, "a name is missing between two commas");
  refused({.cache = {"evry_other"}}, "there is no 'evry_other'; did you mean 'every_other'?");
  refused({.cache = {"every_other:0.1"}}, "every_other has no option 'threshold'; its options are enable, fault");
  refused({.cache = {"every_other:falt=cut"}}, "has no option 'falt'");
  refused({.cache = {"every_other:"}}, "nothing stands behind the last colon");
  refused({.cache = {"none:1"}}, "there is no 'none'");
  refused({.attention = {"SWIFTLY,TILED"}}, "did you mean 'SWIFT'?");
  refused({.cache = {"every_other"}, .seeds = {"x"}}, "--seeds: 'x' is not understood; allowed: int from 0");
  refused({.cache = {"every_other"}, .repeat = "0"}, "--repeat 0: an int from 1 to 1000");
}

TEST(BenchPlan, TheSameAskedForTwiceIsRefused) {
  TestBench bench;
  bench.give(test::flag("attention.backend", "SWIFT"));
  EXPECT_TRUE(
      contains(refusal([&] { bench.plan({.attention = {"SWIFT,TILED"}}); }), "ask for the same: leave one out"));
  EXPECT_EQ(bench.plan({.cache = {"every_other"}}).settings.size(), 2U);
  bench.give(test::flag("cache.every_other.enable", "true"));
  EXPECT_TRUE(contains(refusal([&] { bench.plan({.cache = {"every_other"}}); }), "ask for the same: leave one out"));
}

}  // namespace
}  // namespace fastvideo::host
