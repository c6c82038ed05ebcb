#include <gtest/gtest.h>

#include <sstream>

#include "host/cli/settings_pages.hpp"
#include "host/config/settings.hpp"
#include "host/config/test_files.hpp"
#include "host/config/toml.hpp"

namespace fastvideo::host {
namespace {

TEST(DefaultConfig, IsWhatTheRepositoryDocuments) {
  EXPECT_EQ(read_text_file(FASTVIDEO_SOURCE_DIR "/config/fastvideo.toml"), default_config(Schema::host()))
      << "config/fastvideo.toml is generated: fastvideo --print-default-config > config/fastvideo.toml";
}

// The file with its settings no longer commented out.
std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line); out += line + "\n") {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    if (is_setting && !line.ends_with('=')) line.erase(0, 1);
  }
  return out;
}

TEST(DefaultConfig, SetsNothingAsItIs) {
  const test::TemporaryFolder folder;
  const auto given = read_config_file(folder.write("c.toml", default_config(Schema::host())));
  const Settings settings = resolve(Schema::host(), given, Unknown::refuse);
  for (const auto& [path, setting] : settings.all()) EXPECT_EQ(setting.source.kind, Source::Kind::built_in) << path;
}

TEST(DefaultConfig, ReadsBackAsTheDefaults) {
  Schema schema = Schema::host();
  schema.add({"cache.teacache.threshold",
              "teacache/a (x.toml)",
              {.name = "threshold", .type = OptionType::number, .default_value = 0.1}});
  const test::TemporaryFolder folder;
  const auto given = read_config_file(folder.write("c.toml", uncommented(default_config(schema))));
  const Settings read = resolve(schema, given, Unknown::refuse);
  const Settings defaults = resolve(schema, {}, Unknown::refuse);
  for (const auto& [path, setting] : defaults.all()) {
    ASSERT_NE(read.find(path), nullptr) << path;
    EXPECT_EQ(read.find(path)->value, setting.value) << path;
    EXPECT_EQ(read.find(path)->source.kind, Source::Kind::file) << path;
  }
  EXPECT_EQ(read.number("cache.teacache.threshold"), 0.1);
  for (const SettingSpec& spec : schema.all()) {
    if (spec.option.default_value.empty()) {
      EXPECT_EQ(read.find(spec.path), nullptr) << spec.path;
    }
  }
}

}  // namespace
}  // namespace fastvideo::host
