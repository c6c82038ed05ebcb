#include "host/config/toml_guard.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/config/toml.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

std::string repeated(const std::string& part, int count, const std::string& between = "") {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? between : "") + part;
  return text;
}

// A text nested `depth` deep, for each way that TOML has.
struct Way {
  const char* name;
  std::string (*nested)(int depth);
};

std::string lists_of_tables(int depth) {
  std::string text;
  for (int i = 1; 2 * i <= depth; ++i) text += "[[" + repeated("a", i, ".") + "]]\n";
  return text;
}

const Way kWays[] = {
    {"arrays", [](int depth) { return "a = " + std::string(depth, '[') + std::string(depth, ']'); }},
    {"arrays over lines", [](int depth) { return "a = " + repeated("[", depth, "\n# [\n") + repeated("\n]", depth); }},
    {"inline tables", [](int depth) { return "a = " + repeated("{ a = ", depth) + "1" + repeated(" }", depth); }},
    {"both", [](int depth) { return "a = " + repeated("[{ a = ", depth / 2) + "1" + repeated(" }]", depth / 2); }},
    {"a dotted key", [](int depth) { return repeated("a", depth + 1, ".") + " = 1"; }},
    {"a dotted key with quotes", [](int depth) { return repeated("'.'", depth + 1, " . ") + " = 1"; }},
    {"a header", [](int depth) { return "[" + repeated("a", depth, ".") + "]\nb = 1"; }},
    {"a header of a list", [](int depth) { return "[[" + repeated("a", depth - 1, ".") + "]]"; }},
    {"lists of tables", lists_of_tables},
    {"a dotted key in a table",
     [](int depth) {
       return "[" + repeated("a", depth / 2, ".") + "]\n" + repeated("b", depth / 2 + 1, ".") + " = 1";
     }},
    {"dotted keys in inline tables",
     [](int depth) { return "a = " + repeated("{ a.b = ", depth / 2) + "1" + repeated(" }", depth / 2); }},
};

TEST(TomlGuard, TakesDepth64AndRefusesDepth80WhicheverWayItIsMade) {
  for (const Way& way : kWays) {
    EXPECT_EQ(refusal([&] { parse_toml(way.nested(64), "f"); }), "(accepted)") << way.name;
    for (const int depth : {80, 100000}) {
      if (depth > 80 && way.nested == lists_of_tables) continue;  // a text that grows with the square
      EXPECT_TRUE(contains(refusal([&] { parse_toml(way.nested(depth), "f"); }), "nested more than 64 deep"))
          << way.name;
      EXPECT_TRUE(contains(refusal([&] { parse_toml(way.nested(depth), "f"); }), "f:")) << way.name;
    }
  }
  EXPECT_TRUE(contains(refusal([] { parse_toml("x = 1\na = " + std::string(80, '['), "f"); }), "f:2:69: "));
}

TEST(TomlGuard, RefusesItselfWhatItCannotFollow) {
  const std::pair<const char*, const char*> cases[] = {
      {"a = 'x\nb = 1", "f:1:5: Error while parsing TOML: the text that begins here does not end on its line"},
      {"a = \"x\\\ny\"", "f:1:5: "},
      {"a = '''x", "f:1:5: Error while parsing TOML: the text that begins here does not end"},
      {"a = [1,\n2", "f:1:5: Error while parsing TOML: the bracket that opens here is not closed"},
      {"a = { b = 1,\n c = 2 }", "f:1:13: Error while parsing TOML: the line ends where a key is needed"},
      {"a = 1'x'", "f:1:6: Error while parsing TOML: ''' stands where the end of the line is needed"},
      {"a = 1[2]", "f:1:6: "},
      {"a = [1 2]", "f:1:8: Error while parsing TOML: '2' stands where ',' or ']' is needed"},
      {"a = 1 \xC2\xA0", "f:1:7: "},
      {"\xC3\xA9 = 1", "f:1:1: Error while parsing TOML: '\xC3\xA9' stands where a key is needed"},
      {"a = \"\xC3\xA9\" \xC3\xA9", "f:1:9: "},
      {"a = 'x\x1b'", "f:1:7: Error while parsing TOML: the control character \\x1b"},
      {"a = 1 # x\ry", "f:1:10: Error while parsing TOML: the control character \\r"},
      {"# \xE2\x82", "f:1:3: Error while parsing TOML: the byte \\xe2 is not UTF-8"},
      {"a = \"\"\"\"\"\"\"\"\"", "f:1:8: Error while parsing TOML: 6 quotes end no text"},
      {"[a\nb = 1", "f:1:3: Error while parsing TOML: the line ends where ']' is needed"},
      {"a", "f:1:2: Error while parsing TOML: the file ends where '=' is needed"},
  };
  for (const auto& [text, said] : cases)
    EXPECT_TRUE(contains(refusal([text = text] { parse_toml(text, "f"); }), said)) << text;
}

TEST(TomlGuard, FollowsWhatTomlAllows) {
  const TomlValue root = parse_toml(
      "\xEF\xBB\xBF# a [[ comment '\r\n"
      "a.'b.c'.\"d\\\"e\" = { x = [1, [2, # ]\n 3], ], 'y' = {} } # {\r\n"
      "b = \"\"\"one \"\" two\\\"\"\"\"\"\"\n"
      "c = '''x''''\n"
      "d = \"\"\n"
      "e = [ ]\n"
      "f = [-1.5e+3, inf, 0x7F, true]\n"
      "  [ t . 'u' ]\n"
      "[[l]]\n[[ l ]]\n",
      "f");
  EXPECT_EQ(root.find("b")->scalar.string(), "one \"\" two\"\"\"");
  EXPECT_EQ(root.find("c")->scalar.string(), "x'");
  EXPECT_EQ(root.find("l")->items.size(), 2u);
  EXPECT_EQ(root.find("a")->find("b.c")->find("d\"e")->find("x")->items.size(), 2u);
}

}  // namespace
}  // namespace fastvideo::host
