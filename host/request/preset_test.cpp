#include "host/request/preset.hpp"

#include "host/config/test_files.hpp"
#include "host/config/toml.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

class PresetFile : public ::testing::Test {
 protected:
  Item pipeline(const std::string& text) {
    Item item;
    item.kind = "pipeline";
    item.name = "p";
    item.implementation = "x";
    item.options = {{.name = "height", .type = OptionType::integer, .minimum = 1, .maximum = 100}};
    item.data = {{"presets", folder_.write("presets.toml", text)}};
    return item;
  }
  std::string refused(const std::string& text) {
    return refusal([&] { static_cast<void>(read_presets(pipeline(text))); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(PresetFile, IsReadInOrder) {
  const auto presets =
      read_presets(pipeline("[[preset]]\nname = \"b\"\nsummary = \"s\"\ndefault = true\n"
                            "[preset.match.\"f.json\"]\nx = 1\n[preset.request]\nheight = 9\n"
                            "[[preset]]\nname = \"a\"\n"));
  ASSERT_EQ(presets.size(), 2U);
  EXPECT_EQ(presets[0].name, "b");
  EXPECT_EQ(presets[0].summary, "s");
  EXPECT_TRUE(presets[0].is_default);
  EXPECT_EQ(presets[0].match, (Value::Table{{"f.json", Value::Table{{"x", 1}}}}));
  EXPECT_EQ(presets[0].parameters, (Value::Table{{"height", 9}}));
  EXPECT_EQ(presets[1].name, "a");
  EXPECT_FALSE(presets[1].is_default);
}

TEST_F(PresetFile, MistakesAreRefusedWithTheirPlace) {
  const std::string file = (folder_.path() / "presets.toml").string();
  EXPECT_TRUE(contains(refused("[[preset]\n"), file + ":1:"));
  EXPECT_TRUE(contains(refused("[[presets]]\n"), "unknown key 'presets'"));
  EXPECT_TRUE(contains(refused("preset = 3\n"), "'preset' is not a list of tables"));
  EXPECT_TRUE(contains(refused("preset = [3]\n"), "'preset' is not a table"));
  EXPECT_TRUE(contains(refused("[[preset]]\nsummary = \"s\"\n"), "needs a name"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = \"none\"\n"), "other than auto and none"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = 3\n"), file + ":2:8: 'name' is not a string"));
  EXPECT_TRUE(contains(refused("[[preset]]\nnam = \"a\"\n"), file + ":2:1: unknown key 'nam'"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = \"a\"\nmatch = { f = 3 }\n"), "'f' is not a table"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = \"a\"\nrequest = { hieght = 3 }\n"),
                       "p/x has no parameter 'hieght'; did you mean 'height'?"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = \"a\"\nrequest = { height = 101 }\n"), "height"));
  EXPECT_TRUE(contains(refused("[[preset]]\nname = \"a\"\nrequest = { height = 101 }\n"), "100"));
}

// The presets that come with the Wan pipeline, by the transformer's configuration.
class WanPresets : public ::testing::Test {
 protected:
  std::optional<Preset> chosen(const std::string& transformer, const std::string& name = "auto") {
    folder_.write("transformer/config.json", transformer);
    const Settings settings =
        resolve(Schema::host(), {{"request.preset", name, Source::command_line("--preset")}}, Unknown::refuse);
    return chosen_preset(settings, manifest_.items.front(), {folder_.path(), "model", "WanPipeline"});
  }
  static Value parameter(const std::optional<Preset>& preset, const std::string& name) {
    for (const Entry& entry : preset.value().parameters)
      if (entry.name == name) return entry.value;
    return {};
  }

  const std::string small_ =
      R"({"num_layers": 30, "num_attention_heads": 12, "attention_head_dim": 128, "in_channels": 16})";
  const std::string large_ =
      R"({"num_layers": 40, "num_attention_heads": 40, "attention_head_dim": 128, "in_channels": 16})";
  const Manifest manifest_ = read_manifest(FASTVIDEO_SOURCE_DIR "/pipelines/wan");
  test::TemporaryFolder folder_;
};

TEST_F(WanPresets, SuitTheSizeOfTheModel) {
  EXPECT_EQ(chosen(small_)->name, "480p");
  EXPECT_EQ(parameter(chosen(small_), "height"), Value(480));
  EXPECT_EQ(parameter(chosen(small_), "guidance_scale"), Value(3.0));
  EXPECT_EQ(parameter(chosen(small_), "flow_shift"), Value(3.0));
  EXPECT_EQ(parameter(chosen(small_, "official"), "flow_shift"), Value(8.0));
  EXPECT_EQ(chosen(large_)->name, "720p");
  EXPECT_EQ(parameter(chosen(large_), "width"), Value(1280));
  EXPECT_EQ(parameter(chosen(large_), "flow_shift"), Value(5.0));
  EXPECT_EQ(parameter(chosen(large_, "480p"), "flow_shift"), Value(3.0));
  EXPECT_EQ(parameter(chosen(large_, "480p"), "guidance_scale"), Value(5.0));
}

TEST_F(WanPresets, NoneForAnUnknownModel) {
  EXPECT_FALSE(chosen(R"({"num_layers": 30, "num_attention_heads": 12})").has_value());
  EXPECT_FALSE(chosen(small_, "none").has_value());
  EXPECT_TRUE(contains(refusal([&] { chosen(small_, "720p"); }), "this model has no preset '720p'"));
}

TEST_F(WanPresets, TheEmbeddedModelHasItsOwn) {
  const std::optional<Preset> preset =
      chosen(read_text_file(FASTVIDEO_SOURCE_DIR "/models/shapes/transformer/config.json"));
  ASSERT_TRUE(preset.has_value());
  EXPECT_EQ(preset->name, "shapes");
  EXPECT_EQ(parameter(preset, "num_frames"), Value(17));
}

}  // namespace
}  // namespace fastvideo::host
