#include "plugins/attention/common/number_set.hpp"

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

namespace fastvideo {
namespace {

TEST(NumberSet, HoldsWhatIsListed) {
  const NumberSet set("layers", "0-1, 29,7 - 9");
  for (const int64_t number : {0, 1, 7, 8, 9, 29}) EXPECT_TRUE(set.contains(number)) << number;
  for (const int64_t number : {-1, 2, 6, 10, 28, 30}) EXPECT_FALSE(set.contains(number)) << number;
  EXPECT_EQ(set.largest(), 29);
  EXPECT_FALSE(set.empty());
  EXPECT_EQ(NumberSet("layers", "2147483647").largest(), 2147483647);
}

TEST(NumberSet, NoTextIsNoNumber) {
  for (const char* text : {"", "  "}) {
    EXPECT_TRUE(NumberSet("layers", text).empty());
    EXPECT_FALSE(NumberSet("layers", text).contains(0));
  }
}

TEST(NumberSet, RefusesWhatIsNoList) {
  const auto refusal = [](const char* text) -> std::string {
    try {
      const NumberSet set("layers", text);
    } catch (const Refused& e) {
      return e.what();
    }
    return "taken";
  };
  for (const char* text :
       {",", "1,", ",1", "1,,2", "-", "-3", "3-", "1--3", "1-2-3", "+1", "0x1", "one", "1.5", "1 2", "2147483648"})
    EXPECT_NE(refusal(text).find("is no number from 0 to 2147483647"), std::string::npos)
        << text << ": " << refusal(text);
  EXPECT_NE(refusal("3-1").find("the range '3-1' ends before it begins"), std::string::npos);
  EXPECT_NE(refusal("0-3,2").find("2 is named twice"), std::string::npos);
  EXPECT_NE(refusal("5,5").find("layers = \"5,5\": 5 is named twice; write numbers and ranges"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo
