#include "host/config/schema.hpp"

#include <gtest/gtest.h>

#include <set>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

SettingSpec spec(std::string path, std::string owner, OptionType type = OptionType::integer, std::string flag = "") {
  OptionSpec option{.name = path.substr(path.rfind('.') + 1), .type = type, .flag = std::move(flag)};
  return {std::move(path), std::move(owner), std::move(option)};
}

TEST(HostSchema, IsConsistent) {
  const Schema schema = Schema::host();
  std::set<std::string> paths, flags;
  for (const SettingSpec& one : schema.all()) {
    SCOPED_TRACE(one.path);
    EXPECT_TRUE(paths.insert(one.path).second);
    EXPECT_FALSE(one.option.help.empty());
    EXPECT_TRUE(one.option.flag.empty() || flags.insert(one.option.flag).second);
    if (!one.option.default_value.empty()) {
      EXPECT_EQ(one.option.check(one.option.default_value, "default"), one.option.default_value);
    }
  }
}

TEST(Schema, IgnoresTheLetterCaseOfPublicNamesOnly) {
  Schema schema = Schema::host();
  schema.add(spec("attention.TORCH_SDPA.kernel", "a"));
  EXPECT_EQ(schema.find("attention.torch_sdpa.kernel").size(), 1u);
  EXPECT_EQ(schema.find("attention.torch_sdpa.Kernel").size(), 0u);
  EXPECT_EQ(schema.find("Attention.TORCH_SDPA.kernel").size(), 0u);
  EXPECT_EQ(schema.find("attention.Backend").size(), 0u);
  schema.add(spec("attention.Torch_Sdpa.kernel", "b"));
  EXPECT_EQ(schema.find("attention.TORCH_SDPA.kernel").size(), 2u) << "two implementations of one name";
  EXPECT_EQ(schema.all().back().path, "attention.TORCH_SDPA.kernel");
}

TEST(Schema, RefusesContradictions) {
  Schema schema = Schema::host();
  schema.add(spec("cache.teacache.threshold", "teacache (a.toml)", OptionType::number, "--threshold"));
  const auto add = [&](const SettingSpec& one) { return refusal([&] { schema.add(one); }); };
  EXPECT_EQ(
      add(spec("cache.other.threshold", "other (b.toml)", OptionType::number, "--threshold")),
      "the flag --threshold stands for cache.other.threshold of other (b.toml), and for cache.teacache.threshold of "
      "teacache (a.toml)");
  EXPECT_EQ(add(spec("cache.teacache.threshold", "teacache/2 (c.toml)", OptionType::string)),
            "cache.teacache.threshold is a string for teacache/2 (c.toml), and a float for teacache (a.toml)");
  EXPECT_TRUE(contains(add(spec("request.seed", "wan (d.toml)")), "request.seed, which is a setting of the host"));
  EXPECT_TRUE(contains(add(spec("request.x", "wan (d.toml)", OptionType::integer, "--seed")), "of the host"));
  EXPECT_EQ(schema.find_flag("--threshold").size(), 1u);
}

TEST(Schema, Suggests) {
  EXPECT_EQ(Schema::host().suggest("attention.bakend"), "; did you mean 'attention.backend'?");
  EXPECT_EQ(Schema::host().suggest("something.else.entirely"), "");
}

}  // namespace
}  // namespace fastvideo::host
