#include "host/config/settings.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    const auto add = [this](const std::string& path, const std::string& owner, OptionSpec option) {
      schema_.add({path, owner, std::move(option)});
    };
    sdpa_ = {{.name = "kernel", .default_value = "auto", .choices = {"auto", "math"}, .variable = "SDPA_KERNEL"},
             {.name = "limit", .type = OptionType::integer}};
    for (const OptionSpec& option : sdpa_) add("attention.TORCH_SDPA." + option.name, "TORCH_SDPA/torch", option);
    small_ = {{.name = "height",
               .type = OptionType::integer,
               .default_value = 32,
               .minimum = 8,
               .maximum = 64,
               .flag = "--height"}};
    large_ = {{.name = "height",
               .type = OptionType::integer,
               .default_value = 480,
               .minimum = 100,
               .maximum = 1000,
               .flag = "--height"}};
    add("request.height", "small", small_[0]);
    add("request.height", "large", large_[0]);
  }

  Settings from_toml(const std::string& text) {
    return resolve(schema_, read_config_file(folder_.write("c.toml", text)), Unknown::refuse);
  }
  std::string refused_toml(const std::string& text) {
    const std::string message = refusal([&] { from_toml(text); });
    EXPECT_TRUE(contains(message, file() + ":")) << "names the file";
    return message.substr(std::min(message.size(), file().size() + 1));
  }
  std::string file() const { return (folder_.path() / "c.toml").string(); }

  test::TemporaryFolder folder_;
  Schema schema_ = Schema::host();
  std::vector<OptionSpec> sdpa_, small_, large_;
};

TEST_F(SettingsTest, OneFileSaysASettingOnce) {
  EXPECT_EQ(refused_toml("[attention.roles]\ndit.self = \"A\"\n\"dit.self\" = \"B\"\n"),
            "3:1: attention.roles.dit.self: is given on line 2 already; leave one out");
  EXPECT_EQ(refused_toml("[attention.torch_sdpa]\nlimit = 1\n[attention.TORCH_SDPA]\nlimit = 2\n"),
            "4:1: attention.TORCH_SDPA.limit: is given on line 2 already; leave one out");
}

TEST_F(SettingsTest, HasDefaults) {
  const Settings settings = resolve(schema_, {}, Unknown::refuse);
  EXPECT_EQ(settings.string("attention.backend"), "auto");
  EXPECT_EQ(settings.find("attention.backend")->source.describe(), "default");
  EXPECT_EQ(settings.integer("run.threads"), 0);
  EXPECT_EQ(settings.find("request.seed"), nullptr);
  EXPECT_THROW((void)settings.string("request.seed"), std::logic_error);
}

TEST_F(SettingsTest, RanksItsSourcesAndRemembersThem) {
  auto given = read_config_file(folder_.write("c.toml", "[attention]\nbackend = \"A\"\n"));
  const auto user = read_config_file(folder_.write("d.toml", "[attention]\nbackend = \"B\"\n"));
  given.insert(given.end(), user.begin(), user.end());
  const auto variables = read_environment(schema_, [](const char* name) {
    if (std::string_view(name) == "FASTVIDEO_ATTENTION_BACKEND") return "C";
    return std::string_view(name) == "FASTVIDEO_LOGGING_LEVEL" ? "" : nullptr;
  });
  given.insert(given.end(), variables.begin(), variables.end());
  given.push_back({"attention.backend", "D", Source::command_line("--attention-backend"), true});

  const Settings settings = resolve(schema_, given, Unknown::refuse);
  const Setting& backend = *settings.find("attention.backend");
  EXPECT_EQ(backend.value, Value("D"));
  EXPECT_EQ(backend.source.describe(), "--attention-backend");
  ASSERT_EQ(backend.outranked.size(), 3u);
  EXPECT_EQ(backend.outranked[0].value, Value("C"));
  EXPECT_EQ(backend.outranked[0].source.describe(), "FASTVIDEO_ATTENTION_BACKEND");
  EXPECT_EQ(backend.outranked[1].value, Value("B"));
  EXPECT_EQ(backend.outranked[1].source.describe(), (folder_.path() / "d.toml:2:1").string());
  EXPECT_EQ(backend.outranked[2].value, Value("A"));
  EXPECT_EQ(settings.find("log.level")->source.kind, Source::Kind::built_in) << "an empty variable is not set";
}

TEST_F(SettingsTest, RefusesUnknownKeysWithPlaceAndNearestName) {
  EXPECT_EQ(refused_toml("[attention]\n\n  bakend = \"x\"\n"),
            "3:3: unknown key 'attention.bakend'; did you mean 'attention.backend'?");
  EXPECT_EQ(refused_toml("[atention]\nbackend = \"x\"\n"),
            "2:1: unknown key 'atention.backend'; did you mean 'attention.backend'?");
  EXPECT_EQ(refused_toml("[attention.torch_sdpa]\nkernle = \"math\"\n"),
            "2:1: unknown key 'attention.torch_sdpa.kernle'; did you mean 'attention.TORCH_SDPA.kernel'?");
  EXPECT_EQ(refused_toml("[attention.roles]\ndit.slef = \"x\"\n"),
            "2:5: unknown key 'attention.roles.dit.slef'; did you mean 'attention.roles.dit.self'?");
  EXPECT_EQ(refused_toml("backend = \"x\"\n"), "1:1: unknown key 'backend'");
  EXPECT_EQ(refused_toml("[[attention]]\nbackend = \"x\"\n").substr(0, 30), "1:3: unknown key 'attention'");
  EXPECT_EQ(refused_toml("[zebra]\n"), "1:2: unknown key 'zebra'") << "an empty table";
  EXPECT_NO_THROW(from_toml("[attention]\n[attention.torch_sdpa]\n"));
}

TEST_F(SettingsTest, RefusesWrongValuesWithPlaceAndRange) {
  EXPECT_EQ(refused_toml("[run]\nthreads = \"x\"\n"),
            "2:1: run.threads: \"x\" is of type string; allowed: int from 0 to 1024");
  EXPECT_EQ(refused_toml("[run]\nthreads = 2000\n"),
            "2:1: run.threads: 2000 is out of range; allowed: int from 0 to 1024");
  EXPECT_EQ(refused_toml("[attention]\nnumerics = [\"exact\", \"sloppy\"]\n"),
            "2:1: attention.numerics: \"sloppy\" is not one of exact, reordered, approximate");
  EXPECT_EQ(refused_toml("[attention]\nbackend = { x = 1 }\n"),
            "2:13: unknown key 'attention.backend.x'; did you mean 'attention.backend'?");
  EXPECT_EQ(refused_toml("[attention]\nbackend = {}\n"),
            "2:1: attention.backend: {} is of type table; allowed: string");
}

TEST_F(SettingsTest, ChecksVariablesAndFlagsByTheirNames) {
  const auto with = [&](Given given) { return refusal([&] { resolve(schema_, {given}, Unknown::refuse); }); };
  EXPECT_EQ(with({"log.level", "LOUD", Source::environment("FASTVIDEO_LOGGING_LEVEL"), true}).substr(0, 55),
            "FASTVIDEO_LOGGING_LEVEL: \"LOUD\" is not one of DEBUG, IN");
  EXPECT_EQ(with({"run.threads", "-1", Source::command_line("--threads"), true}),
            "--threads: -1 is out of range; allowed: int from 0 to 1024");
}

TEST_F(SettingsTest, KeepsUnknownKeysOutWhileManifestsAreNotRead) {
  const auto given = read_config_file(folder_.write("c.toml", "[cache.later]\nx = 1\n[run]\nthreads = 3\n"));
  const Settings settings = resolve(Schema::host(), given, Unknown::keep_out);
  EXPECT_EQ(settings.integer("run.threads"), 3);
  EXPECT_EQ(settings.find("cache.later.x"), nullptr);
}

TEST_F(SettingsTest, CompletesAndChecksAnItemsOptions) {
  const Settings settings = from_toml("[attention.torch_sdpa]\nkernel = \"MATH\"\n[request]\nheight = 32\n");
  const auto sdpa = settings.of_item("attention.TORCH_SDPA", sdpa_);
  ASSERT_EQ(sdpa.size(), 1u) << "limit has neither a value nor a default";
  EXPECT_EQ(sdpa[0].setting.value, Value("math"));
  EXPECT_EQ(sdpa[0].setting.source.describe(), file() + ":2:1");

  EXPECT_EQ(to_table(settings.of_item("request", small_)), (Value::Table{{"height", 32}}));
  EXPECT_EQ(refusal([&] { settings.of_item("request", large_); }),
            file() + ":4:1: request.height: 32 is out of range; allowed: int from 100 to 1000")
      << "in the range of another item only";
  EXPECT_EQ(to_table(resolve(schema_, {}, Unknown::refuse).of_item("request", large_)),
            (Value::Table{{"height", 480}}));
  EXPECT_TRUE(contains(refused_toml("[request]\nheight = 2\n"), "allowed: int from 8 to 64")) << "in no item's range";
}

TEST_F(SettingsTest, OneVariableMayStandForSeveralSettings) {
  schema_.add({"attention.OTHER.kernel", "OTHER/x", {.name = "kernel", .variable = "SDPA_KERNEL"}});
  const auto given = read_environment(
      schema_, [](const char* name) { return std::string_view(name) == "SDPA_KERNEL" ? "math" : nullptr; });
  const Settings settings = resolve(schema_, given, Unknown::refuse);
  EXPECT_EQ(settings.string("attention.TORCH_SDPA.kernel"), "math");
  EXPECT_EQ(settings.string("attention.OTHER.kernel"), "math");
}

TEST_F(SettingsTest, PathsAreRelativeToTheirFile) {
  const Settings settings = from_toml("[plugins]\npath = [\"mine\", \"/abs/../theirs\"]\n");
  EXPECT_EQ(settings.strings("plugins.path"),
            (std::vector<std::string>{(folder_.path() / "mine").string(), "/theirs"}));

  const auto path = [&](const char* text, Source source) {
    return resolve(schema_, {{"plugins.path", text, std::move(source), true}}, Unknown::refuse).strings("plugins.path");
  };
  EXPECT_EQ(path("x", Source::command_line("--plugin-dir")),
            std::vector<std::string>{(std::filesystem::current_path() / "x").string()});
  EXPECT_EQ(path("/a::/b:", Source::environment("P")), (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(refusal([&] { path("/a:b", Source::environment("P")); }), "P: 'b' is not an absolute path");
}

TEST_F(SettingsTest, ARepeatedFlagJoinsItsList) {
  const Source flag = Source::command_line("--plugin-dir");
  const Settings settings = resolve(schema_,
                                    {{"plugins.path", "/low", Source::environment("P"), true},
                                     {"plugins.path", "/a", flag, true},
                                     {"plugins.path", "/b", flag, true}},
                                    Unknown::refuse);
  EXPECT_EQ(settings.strings("plugins.path"), (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(settings.find("plugins.path")->outranked.size(), 1u);
}

}  // namespace
}  // namespace fastvideo::host
