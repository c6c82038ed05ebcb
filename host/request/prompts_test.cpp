#include "host/request/prompts.hpp"

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

class Prompts : public ::testing::Test {
 protected:
  std::vector<std::string> read(const std::string& text) {
    return prompts_of(with({{"request.prompt_file", folder_.write("p.txt", text).string(), flag("--prompt-file")}}));
  }
  static Settings with(const std::vector<Given>& given) { return resolve(Schema::host(), given, Unknown::refuse); }
  static Source flag(const char* name) { return Source::command_line(name); }

  test::TemporaryFolder folder_;
};

TEST_F(Prompts, LinesOfAnyWhiteSpaceAreBlank) {
  EXPECT_EQ(read("\xE3\x80\x80\n\xC2\xA0 \xE2\x80\x83\t\none\n\xE2\x80\x8B\n\xE3\x80\x80two\n"),
            (std::vector<std::string>{"one", "\xE2\x80\x8B", "\xE3\x80\x80two"}));
  EXPECT_TRUE(contains(refusal([&] { read("\xE3\x80\x80\n"); }), "holds no prompt"));
}

TEST_F(Prompts, AreTheLinesOfTheFile) {
  EXPECT_EQ(read("\xef\xbb\xbf# mine\n a red circle \r\n\n\t# no\ntwo # not a comment\nünder water"),
            (std::vector<std::string>{"a red circle", "two # not a comment", "ünder water"}));
}

TEST_F(Prompts, EveryLineBreakEndsALine) {
  const std::vector<std::string> two{"one", "two"};
  for (const char* text : {"one\ntwo\n", "one\r\ntwo\r\n", "one\rtwo\r", "one\r\r\ntwo", "# a\rone\r# b\rtwo"})
    EXPECT_EQ(read(text), two) << text;
}

TEST_F(Prompts, TheHigherSourceSaysWhich) {
  const Source file{Source::Kind::file, "c.toml", 1, 1};
  const std::string lines = folder_.write("p.txt", "one\ntwo\n").string();
  EXPECT_TRUE(prompts_of(with({})).empty());
  EXPECT_EQ(prompts_of(with({{"request.prompt", "x", flag("--prompt")}})), std::vector<std::string>{"x"});
  EXPECT_EQ(
      prompts_of(with({{"request.prompt", "x", file}, {"request.prompt_file", lines, flag("--prompt-file")}})).size(),
      2U);
  EXPECT_EQ(prompts_of(with({{"request.prompt_file", lines, file}, {"request.prompt", "x", flag("--prompt")}})),
            std::vector<std::string>{"x"});
  EXPECT_TRUE(contains(refusal([&] {
                         prompts_of(with({{"request.prompt_file", lines, flag("--prompt-file")},
                                          {"request.prompt", "x", flag("--prompt")}}));
                       }),
                       "both --prompt and --prompt-file say what to make; give one of them"));
}

TEST_F(Prompts, AFileWithoutPromptsIsRefused) {
  EXPECT_TRUE(contains(refusal([&] { read("# nothing\n\n"); }), "p.txt holds no prompt: write one on each line"));
  EXPECT_TRUE(contains(refusal([&] { read(std::string("a\nb\0c\n", 6)); }), "p.txt:2: the line contains"));
  EXPECT_TRUE(contains(refusal([&] {
                         prompts_of(with({{"request.prompt_file", "/no/such.txt", flag("--prompt-file")}}));
                       }),
                       "--prompt-file: /no/such.txt"));
}

}  // namespace
}  // namespace fastvideo::host
