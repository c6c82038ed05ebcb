#include "host/config/value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "host/config/toml.hpp"

namespace fastvideo::host {
namespace {

const Value::Table everything = {{"none", Value()},
                                 {"yes", true},
                                 {"count", int64_t{1} << 60},
                                 {"ratio", 0.1},
                                 {"text", "a \"quoted\"\\ line\n\ttab \x01 \xc3\xa9"},
                                 {"list", Value::List{1, 2.5, "x", Value::List{}}},
                                 {"table", Value::Table{{"inner", Value::Table{{"deep", false}}}}}};

TEST(Value, KnowsItsType) {
  const char* names[] = {"nothing", "bool", "int", "float", "string", "list", "table"};
  for (size_t i = 0; i < everything.size(); ++i) {
    EXPECT_EQ(everything[i].value.type(), i);
    EXPECT_EQ(everything[i].value.type_name(), names[i]);
  }
  EXPECT_THROW((void)Value(1).string(), std::bad_variant_access);
  EXPECT_EQ(Value(3).number(), 3.0);
}

TEST(Value, WritesTomlThatReadsBackAsItself) {
  Value::Table table(everything.begin() + 1, everything.end());  // TOML has no "nothing"
  for (const double number : {0.1, 1.0, -0.0, 1e300, 5e-324, 1.0 / 3})
    table.push_back({"n" + std::to_string(table.size()), number});
  std::string text;
  for (const Entry& entry : table) text += entry.name + " = " + entry.value.to_toml() + "\n";
  EXPECT_EQ(parse_toml(text, "test").value(), Value(table)) << text;
  EXPECT_EQ(Value(1.0).to_toml(), "1.0") << "a float stays a float";
  EXPECT_EQ(Value(std::numeric_limits<double>::infinity()).to_toml(), "inf");
  EXPECT_EQ((Value(Value::Table{{"a b", 1}}).to_toml()), "{ \"a b\" = 1 }");
}

TEST(AbiValues, KeepsWhatItGaveOut) {
  AbiValues first;
  const std::span<const fv_entry> entries = first.add(everything);
  const fv_value* single = first.add(Value("short"));
  for (int i = 0; i < 1000; ++i) first.add(Value::Table{{std::to_string(i), std::to_string(i)}});
  const AbiValues moved = std::move(first);

  ASSERT_EQ(entries.size(), everything.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].name, everything[i].name);
    EXPECT_EQ(entries[i].value.type, i);
  }
  EXPECT_EQ(entries[1].value.as.integer, 1);
  EXPECT_EQ(entries[2].value.as.integer, int64_t{1} << 60);
  EXPECT_EQ(entries[3].value.as.number, 0.1);
  EXPECT_EQ(entries[4].value.as.string, everything[4].value.string());
  ASSERT_EQ(entries[5].value.count, 4u);
  EXPECT_EQ(entries[5].value.as.items[1].as.number, 2.5);
  EXPECT_STREQ(entries[5].value.as.items[2].as.string, "x");
  EXPECT_EQ(entries[5].value.as.items[3].count, 0u);
  ASSERT_EQ(entries[6].value.count, 1u);
  const fv_value& inner = entries[6].value.as.entries[0].value;
  EXPECT_STREQ(inner.as.entries[0].name, "deep");
  EXPECT_EQ(inner.as.entries[0].value.as.integer, 0);
  EXPECT_STREQ(single->as.string, "short");
}

}  // namespace
}  // namespace fastvideo::host
