#include "host/run/preset.hpp"

#include "host/config/test_files.hpp"

namespace fastvideo {
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

}  // namespace
}  // namespace fastvideo
