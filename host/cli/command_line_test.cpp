#include "host/cli/command_line.hpp"

#include <gtest/gtest.h>

#include "host/cli/flags.hpp"
#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using Command = CommandLine::Command;
using test::contains;

// The host's settings and two of a pipeline.
Schema schema() {
  Schema made = Schema::host();
  made.add(
      {"request.height", "p/x (plugin.toml)", {.name = "height", .type = OptionType::integer, .flag = "--height"}});
  made.add({"request.fast", "p/x (plugin.toml)", {.name = "fast", .type = OptionType::boolean, .flag = "--fast"}});
  return made;
}

std::string refusal_of(const std::vector<std::string>& arguments) {
  return test::refusal([&] { parse_command_line(arguments, schema()); });
}

// "path=value" of each setting in order
std::vector<std::string> given(const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (const Given& one : parse_command_line(arguments, schema()).given) {
    EXPECT_EQ(one.source.kind, Source::Kind::command_line);
    EXPECT_TRUE(one.is_text);
    all.push_back(one.path + "=" + one.value.string());
  }
  return all;
}

using List = std::vector<std::string>;

TEST(CommandLine, Commands) {
  EXPECT_EQ(parse_command_line({}, schema()).command, Command::help);
  EXPECT_EQ(parse_command_line({"--version"}, schema()).command, Command::version);
  EXPECT_EQ(parse_command_line({"generate"}, schema()).command, Command::generate);
  EXPECT_EQ(parse_command_line({"explain"}, schema()).command, Command::explain);
  EXPECT_EQ(parse_command_line({"plugins"}, schema()).command, Command::list_plugins);
  const CommandLine show = parse_command_line({"plugins", "show", "X/y"}, schema());
  EXPECT_EQ(show.command, Command::show_plugin);
  EXPECT_EQ(show.plugin, "X/y");
  EXPECT_EQ(parse_command_line({"generate", "-h"}, schema()).command, Command::help);
  EXPECT_TRUE(contains(parse_command_line({"generate", "-h"}, schema()).text, "--height INT"));
  EXPECT_TRUE(parse_command_line({"generate", "--no-progress"}, schema()).no_progress);
}

TEST(CommandLine, Bench) {
  const CommandLine line = parse_command_line(
      {"bench", "--height", "8", "--cache", "none,a:0.1", "--cache", "b", "--repeat", "2", "--json", "r.json"},
      schema());
  EXPECT_EQ(line.command, Command::bench);
  EXPECT_EQ(line.bench.cache, (List{"none,a:0.1", "b"}));
  EXPECT_EQ(line.bench.repeat, "2");
  EXPECT_EQ(line.bench.json, "r.json");
  EXPECT_EQ(line.given.size(), 1U);
  EXPECT_TRUE(contains(refusal_of({"bench", "--output-path", "x.mp4"}), "there is no flag --output-path"));
}

TEST(CommandLine, BenchAttention) {
  const CommandLine line = parse_command_line(
      {"bench", "attention", "--shape", "1,2,3,4", "--shape", "1,2,3,8x5", "--backends", "A,B/c", "--device", "cpu"},
      schema());
  EXPECT_EQ(line.command, Command::bench_attention);
  EXPECT_EQ(line.bench_attention.shapes, (List{"1,2,3,4", "1,2,3,8x5"}));
  EXPECT_EQ(line.bench_attention.backends, List{"A,B/c"});
  EXPECT_EQ(line.given.size(), 1U);
  EXPECT_TRUE(
      contains(refusal_of({"bench", "attention", "--cache", "none"}), "--cache is a flag of `bench` and not of"));
  EXPECT_TRUE(
      contains(refusal_of({"bench", "attention", "--height", "8"}), "--height is a flag of `bench` and not of"));
}

TEST(CommandLine, FlagsAreSettings) {
  EXPECT_EQ(given({"generate", "--height", "8", "--threads=2"}), (List{"run.threads=2", "request.height=8"}));
  EXPECT_EQ(given({"--threads", "2", "generate", "--fast"}), (List{"run.threads=2", "request.fast=true"}));
  EXPECT_EQ(given({"generate", "--fast=false"}), List{"request.fast=false"});
  EXPECT_TRUE(contains(refusal_of({"generate", "--seed", "1", "--seed", "2"}), "--seed is given twice"));
  EXPECT_EQ(given({"generate", "--seed", "-1"}), List{"request.seed=-1"});  // the schema says no to it
}

TEST(CommandLine, TextsArriveAsTheyAre) {
  for (const char* prompt :
       {"", " ", "a, b", "[a, b]", "{a}", "\"quoted\"", "it's", "a=b", "-1", "--", "%d \\n", "é✓"}) {
    EXPECT_EQ(given({"generate", "--prompt", prompt}), List{std::string("request.prompt=") + prompt});
    EXPECT_EQ(given({"generate", std::string("--prompt=") + prompt, "--height", "8"}),
              (List{std::string("request.prompt=") + prompt, "request.height=8"}));
  }
}

TEST(CommandLine, BackendsForRoles) {
  EXPECT_EQ(given({"generate", "--attention-backend", "A", "--attention-backend", "dit.cross=B/c"}),
            (List{"attention.backend=A", "attention.roles.dit.cross=B/c"}));
}

TEST(CommandLine, SetOutranksFlags) {
  EXPECT_EQ(given({"generate", "--set", "request.height=9", "--height", "8", "--set", "a.b=c=d"}),
            (List{"request.height=8", "request.height=9", "a.b=c=d"}));
}

TEST(CommandLine, Refusals) {
  EXPECT_EQ(refusal_of({"generate", "--heigth", "3"}), "there is no flag --heigth; did you mean '--height'?");
  EXPECT_EQ(refusal_of({"generate", "--heigth=3"}), "there is no flag --heigth; did you mean '--height'?");
  EXPECT_EQ(refusal_of({"--xyzzy"}), "there is no flag --xyzzy; fastvideo --help lists the flags");
  EXPECT_EQ(refusal_of({"xyzzy"}), "there is no command 'xyzzy'; fastvideo --help lists the commands");
  EXPECT_EQ(refusal_of({"explian"}), "there is no command 'explian'; did you mean 'explain'?");
  EXPECT_TRUE(contains(refusal_of({"generate", "--height"}), "--height"));
  EXPECT_TRUE(contains(refusal_of({"generate", "--prompt", "a", "red", "circle"}), "'red' is one word too many"));
  EXPECT_TRUE(contains(refusal_of({"plugins", "list"}), "`plugins` has no command 'list'"));
  EXPECT_TRUE(contains(refusal_of({"plugins", "--height", "3"}), "there is no flag --height"));
}

TEST(EarlyFlags, AreFoundAmongTheOthers) {
  const EarlyFlags early = read_early_flags(
      {"generate", "--config=c.toml", "--prompt", "x", "--plugin-dir", "a", "--plugin-dir=b", "--set", "x.y=1"});
  EXPECT_EQ(early.config, "c.toml");
  ASSERT_EQ(early.given.size(), 3u);
  EXPECT_EQ(early.given[0].path, "plugins.path");
  EXPECT_EQ(early.given[0].value.string(), "a");
  EXPECT_EQ(early.given[1].value.string(), "b");
  EXPECT_EQ(early.given[2].path, "x.y");
  EXPECT_EQ(test::refusal([] { read_early_flags({"--config"}); }), "--config needs a value");
  EXPECT_FALSE(read_early_flags({"--", "--config", "x"}).config.has_value());
}

}  // namespace
}  // namespace fastvideo::host
