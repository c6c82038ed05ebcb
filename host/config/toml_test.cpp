#include "host/config/toml.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

TEST(Toml, KnowsPlacesAndKeepsTheOrderOfTheFile) {
  const TomlValue root = parse_toml("zebra = 1\n[table]\n  b = [true, \"x\"]\n  a = 2.5\n", "f");
  ASSERT_EQ(root.entries.size(), 2u);
  EXPECT_EQ(root.entries[0].name, "zebra");
  EXPECT_EQ(root.entries[0].line, 1u);
  EXPECT_EQ(root.entries[0].value.column, 9u);
  const TomlValue& table = root.entries[1].value;
  ASSERT_EQ(table.entries.size(), 2u);
  EXPECT_EQ(table.entries[0].name, "b");
  EXPECT_EQ(table.entries[0].line, 3u);
  EXPECT_EQ(table.entries[0].column, 3u);
  EXPECT_EQ(table.entries[0].value.items[1].column, 14u);
  EXPECT_EQ(table.find("a")->scalar, Value(2.5));
  EXPECT_EQ(table.find("c"), nullptr);
}

TEST(Toml, RefusesWithPlace) {
  EXPECT_TRUE(contains(refusal([] { parse_toml("a = 1\nb = = 2\n", "conf.toml"); }), "conf.toml:2:"));
  EXPECT_TRUE(contains(refusal([] { parse_toml("a = 1\na = 2\n", "f"); }), "f:2:"));
  EXPECT_TRUE(contains(refusal([] { parse_toml("\nday = 2024-01-01\n", "f"); }), "f:2:7: dates and times"));
  EXPECT_TRUE(
      contains(refusal([] { parse_toml("a = \"x\\u0000y\"\n", "f"); }), "f:1:5: the text contains the character NUL"));
  EXPECT_TRUE(contains(refusal([] { parse_toml("\"x\\u0000\" = 1\n", "f"); }), "NUL"));
  EXPECT_TRUE(contains(refusal([] { parse_toml("a = \"\xff\"\n", "f"); }), "f:1:")) << "not UTF-8";
  EXPECT_TRUE(contains(refusal([] { parse_toml("a = " + std::string(100000, '['), "f"); }), "f:1:"))
      << "no stack overflow";
  EXPECT_TRUE(contains(refusal([] { parse_toml("a = 99999999999999999999\n", "f"); }), "f:1:"));
}

TEST(Toml, TakesCharactersBeyondAsciiInStringsAndCommentsOnly) {
  const std::string accepted =
      "\xEF\xBB\xBF# \xC3\xA9\n\"\xC3\xA9\" = '\xC3\xA9' # \xC3\xA9\nb = \"\\\"\xC3\xA9\"\n"
      "c = \"\"\"\n\xC3\xA9\"\n\"\"\"\nd = '''\\\n\xC3\xA9'''\n";
  const TomlValue parsed = parse_toml(accepted, "f");
  ASSERT_NE(parsed.find("b"), nullptr);
  EXPECT_EQ(parsed.find("b")->scalar.string(), "\"\xC3\xA9");
  EXPECT_EQ(parse_toml("a = \"\"\"x \\\n  \xC3\xA9\"\"\"\n", "f").find("a")->scalar.string(), "x \xC3\xA9");
  for (const char* wrong : {"a = 1\nh\xC3\xA9 = 2\n", "\n\xC3\xA9 = 2\n", "\na = 1'\"\xC3\xA9", "\na = 1 \xD2\x89\n"})
    EXPECT_TRUE(contains(refusal([&] { parse_toml(wrong, "f"); }), "f:2:")) << wrong;
}

TEST(ReadTextFile, RefusesWhatIsNoFile) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_text_file(folder.write("a", "text\n")), "text\n");
  EXPECT_EQ(read_text_file(folder.write("empty", "")), "");
  EXPECT_TRUE(contains(refusal([&] { read_text_file(folder.path()); }), "is a folder"));
  EXPECT_TRUE(contains(refusal([&] { read_text_file(folder.path() / "none"); }), "No such file"));
  EXPECT_TRUE(contains(refusal([&] { read_text_file("/dev/zero"); }), "is a device and not a regular file"));
  EXPECT_TRUE(contains(refusal([&] { read_text_file(folder.write("long", std::string((16 << 20) + 1, 'x'))); }),
                       "has more than 16777216 bytes (16777217)"));
}

}  // namespace
}  // namespace fastvideo::host
