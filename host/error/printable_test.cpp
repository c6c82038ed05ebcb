#include "host/error/printable.hpp"

#include <gtest/gtest.h>

namespace fastvideo::host {
namespace {

TEST(Printable, EscapesWhatSteersATerminal) {
  EXPECT_EQ(printable("a\tb \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82"), "a\tb \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82");
  EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(printable("a\r\nb\x7f"), "a\\r\\nb\\x7f");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m\xC2\x85"),
            "\\u009b31m\\u0085")
      << "C1 controls";
  EXPECT_EQ(printable("\xE2\x80\xAEtxt\xE2\x81\xA9\xD8\x9C"), "\\u202etxt\\u2069\\u061c") << "direction of writing";
  EXPECT_EQ(printable("\xE2\x80\xA8"), "\\u2028") << "a line end of Unicode";
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\x9B"), "\\x9b") << "C1 as one byte";
  EXPECT_EQ(printable("\xC0\x80"), "\\xc0\\x80") << "overlong";
  EXPECT_EQ(printable("\xE0\x82\x9B"), "\\xe0\\x82\\x9b") << "overlong C1";
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(printable("\xE2\x82"), "\\xe2\\x82") << "cut short";
  EXPECT_EQ(printable("\xC3("), "\\xc3(");
}

TEST(Printable, LinesKeepTheirEndsAndLoseTheirMiddles) {
  EXPECT_EQ(printable_lines("a\nb\x1b\n"), "a\nb\\x1b\n");
  const std::string shown = printable_lines("begin" + std::string(120000, 'x') + "end\nnext");
  EXPECT_LT(shown.size(), 3000u);
  EXPECT_TRUE(shown.starts_with("beginxxx"));
  EXPECT_TRUE(shown.ends_with("xxxend\nnext"));
  EXPECT_NE(shown.find("of 120008 bytes left out"), std::string::npos);
}

TEST(Printable, ShortenedSaysHowLongItWas) {
  EXPECT_EQ(shortened("short"), "short");
  EXPECT_EQ(shortened(std::string(10, 'a'), 4), "aaaa... (10 bytes)");
  EXPECT_EQ(shortened("aaa\xC3\xA9", 4), "aaa... (5 bytes)") << "not inside of a character";
}

}  // namespace
}  // namespace fastvideo::host
