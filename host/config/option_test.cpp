#include <gtest/gtest.h>

#include <cmath>

#include "host/config/schema.hpp"
#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::refusal;
using Type = OptionType;

const OptionSpec steps = {.name = "steps", .type = Type::integer, .minimum = 1, .maximum = 1000};
const OptionSpec scale = {.name = "scale", .type = Type::number, .minimum = 0.5};
const OptionSpec kernel = {.name = "kernel", .choices = {"auto", "Math"}};
const OptionSpec flag = {.name = "on", .type = Type::boolean};
const OptionSpec names = {.name = "names", .type = Type::strings};

TEST(Option, ASeedOfMinusZeroIsZero) {
  const OptionSpec seed = {.name = "seed", .type = Type::seed};
  EXPECT_EQ(seed.parse("-0", "w"), Value(0)) << "as in TOML";
  EXPECT_EQ(seed.parse("+0", "w"), Value(0));
  EXPECT_EQ(seed.parse("-000", "w"), Value(0));
  for (const char* other : {"-", "--0", "-0x", "+-0", "-0.0"})
    EXPECT_NE(refusal([&] { seed.parse(other, "w"); }).find("is not understood"), std::string::npos) << other;
  EXPECT_NE(refusal([&] { seed.parse("-01", "w"); }).find("leave the seed out"), std::string::npos);
}

TEST(Option, SaysWhatIsAllowed) {
  EXPECT_EQ(steps.allowed(), "int from 1 to 1000");
  EXPECT_EQ(scale.allowed(), "float of at least 0.5");
  EXPECT_EQ(kernel.allowed(), "one of auto, Math");
  EXPECT_EQ(flag.allowed(), "true or false");
  EXPECT_EQ(names.allowed(), "list of strings");
}

TEST(Option, ChecksTypeAndRange) {
  EXPECT_EQ(steps.check(1, "w"), Value(1));
  EXPECT_EQ(steps.check(1000, "w"), Value(1000));
  EXPECT_EQ(refusal([] { steps.check(0, "f:1:2: x.steps"); }),
            "f:1:2: x.steps: 0 is out of range; allowed: int from 1 to 1000");
  EXPECT_EQ(refusal([] { steps.check(1001, "w"); }), "w: 1001 is out of range; allowed: int from 1 to 1000");
  EXPECT_EQ(refusal([] { steps.check("5", "w"); }), "w: \"5\" is of type string; allowed: int from 1 to 1000");
  EXPECT_EQ(refusal([] { steps.check(5.0, "w"); }), "w: 5.0 is of type float; allowed: int from 1 to 1000");
  EXPECT_EQ(scale.check(2, "w"), Value(2.0)) << "an int stands for a float";
  EXPECT_EQ(refusal([] { scale.check(std::nan(""), "w"); }), "w: nan is not finite; allowed: float of at least 0.5");
  EXPECT_EQ(refusal([] { flag.check(1, "w"); }), "w: 1 is of type int; allowed: true or false");
  EXPECT_EQ(names.check("one", "w"), Value(Value::List{"one"})) << "one string is a list of one";
  EXPECT_EQ(refusal([] { names.check(Value::List{"a", 1}, "w"); }), "w: [\"a\", 1] is not a list of strings");
  EXPECT_EQ(refusal([] {
              kernel.check(Value::Table{{"a", 1}}, "w");
            }),
            "w: { a = 1 } is of type table; allowed: one of auto, Math");
}

TEST(Option, TakesChoicesInAnyLetterCase) {
  EXPECT_EQ(kernel.check("MATH", "w"), Value("Math"));
  EXPECT_EQ(refusal([] { kernel.check("autp", "w"); }), "w: \"autp\" is not one of auto, Math; did you mean 'auto'?");
}

TEST(Option, ReadsText) {
  EXPECT_EQ(steps.parse("+7", "w"), Value(7));
  EXPECT_EQ(refusal([] { steps.parse("7.5", "--steps"); }),
            "--steps: '7.5' is not understood; allowed: int from 1 to 1000");
  EXPECT_EQ(refusal([] { steps.parse("", "w"); }), "w: '' is not understood; allowed: int from 1 to 1000");
  EXPECT_EQ(refusal([] { steps.parse("99999999999999999999", "w"); }).substr(0, 5), "w: '9");
  EXPECT_EQ(scale.parse("1e2", "w"), Value(100.0));
  EXPECT_EQ(refusal([] { scale.parse("inf", "w"); }), "w: inf is not finite; allowed: float of at least 0.5");
  EXPECT_EQ(refusal([] { scale.parse("0.25", "w"); }), "w: 0.25 is out of range; allowed: float of at least 0.5");
  for (const char* yes : {"true", "On", "YES", "1"}) EXPECT_EQ(flag.parse(yes, "w"), Value(true));
  for (const char* no : {"false", "off", "No", "0"}) EXPECT_EQ(flag.parse(no, "w"), Value(false));
  EXPECT_EQ(refusal([] { flag.parse("maybe", "w"); }), "w: 'maybe' is not understood; allowed: true or false");
  EXPECT_EQ(names.parse("a,b,,c,", "w"), Value(Value::List{"a", "b", "c"}));
  EXPECT_EQ(names.parse("", "w"), Value(Value::List{}));
}

}  // namespace
}  // namespace fastvideo::host
