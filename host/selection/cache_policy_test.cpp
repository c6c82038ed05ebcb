#include "host/selection/cache_policy.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::flag;
using test::in_file;
using test::TestPlugins;

CacheRequest request(const std::vector<Given>& given) {
  const TestPlugins plugins(given);
  return cache_request(plugins.settings, plugins.catalog);
}

TEST(CachePolicy, TheHigherSourceCounts) {
  const Given on = flag("cache.every_other.enable", "true");
  const Given off = flag("cache.every_other.enable", "false");
  const Given file_on = in_file("cache.every_other.enable", true);
  const Given file_other = in_file("cache.strategy", "other");
  EXPECT_EQ(request({}).name, "none");
  EXPECT_EQ(request({on}).name, "every_other");
  EXPECT_EQ(request({on}).source.describe(), "--flag");
  EXPECT_EQ(request({off}).name, "none");
  EXPECT_EQ(request({file_on}).name, "every_other");
  EXPECT_EQ(request({file_other, on}).name, "every_other");
  EXPECT_EQ(request({file_on, flag("cache.strategy", "other")}).name, "other");
  EXPECT_EQ(request({file_on, flag("cache.strategy", "none")}).name, "none");
  EXPECT_EQ(request({file_other, off}).name, "other");
  EXPECT_EQ(request({in_file("cache.strategy", "every_other"), off}).name, "none");
  EXPECT_EQ(request({flag("cache.strategy", "Every_Other/policy"), on}).name, "Every_Other/policy");
}

TEST(CachePolicy, TellsWhatItOverrides) {
  const CacheRequest made = request({in_file("cache.strategy", "other"), flag("cache.every_other.enable", "true")});
  ASSERT_EQ(made.overridden.size(), 1u);
  EXPECT_EQ(made.overridden[0].name, "other");
  EXPECT_EQ(made.overridden[0].source.describe(), "test.toml:3:1");
}

TEST(CachePolicy, TwoStrategiesOfOneSourceAreRefused) {
  const std::string text = test::refusal([] {
    request({flag("cache.strategy", "other"), flag("cache.every_other.enable", "true")});
  });
  EXPECT_TRUE(contains(text, "other by --flag, and every_other by --flag"));
}

TEST(CachePolicy, NoneIsNoStrategy) {
  const TestPlugins plugins;
  EXPECT_EQ(chosen_cache_strategy({"None", {}, {}}, plugins.catalog, {}), nullptr);
}

TEST(CachePolicy, AnUnknownStrategyIsRefusedWithTheTable) {
  const TestPlugins plugins;
  const std::string text = test::refusal([&] {
    chosen_cache_strategy({"every_othr", Source::command_line("--flag"), {}}, plugins.catalog, {});
  });
  EXPECT_TRUE(contains(text, "'every_othr', asked for by --flag; did you mean 'every_other'?"));
  EXPECT_TRUE(contains(text, "\n  every_other/policy  usable: "));
}

}  // namespace
}  // namespace fastvideo::host
