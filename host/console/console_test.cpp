#include "host/console/console.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "host/console/test_terminal.hpp"

namespace fastvideo::host {
namespace {

TEST(Console, KnowsATerminalAndItsWidth) {
  const TestTerminal terminal(57);
  const TestFile file;
  EXPECT_TRUE(Console(terminal.fd()).is_terminal());
  EXPECT_EQ(Console(terminal.fd()).width(), 57);
  EXPECT_FALSE(Console(file.fd()).is_terminal());
  EXPECT_EQ(Console(file.fd()).width(), 80);
}

TEST(Console, LinesScrollAboveTheStatusLine) {
  const TestTerminal terminal(40);
  Console console(terminal.fd());
  console.set_status("working 1/2");
  console.print("first");
  console.set_status("working 2/2");
  console.print("second\nthird\n");
  std::string output = terminal.read();
  EXPECT_EQ(TestTerminal::screen(output), "first\nsecond\nthird\nworking 2/2");
  console.clear_status();
  output += terminal.read();
  EXPECT_EQ(TestTerminal::screen(output), "first\nsecond\nthird\n");
}

TEST(Console, TheStatusIsCutToTheWidthByCharacters) {
  const TestTerminal terminal(8);
  Console console(terminal.fd());
  console.set_status("äöü4567890");
  EXPECT_EQ(TestTerminal::screen(terminal.read()), "äöü4567");
}

TEST(Console, StatusCannotSteerTheTerminal) {
  const TestTerminal terminal(40);
  Console console(terminal.fd());
  console.set_status("a\033[2Jb\nc");
  EXPECT_EQ(TestTerminal::screen(terminal.read()), "a\\x1b[2Jb\\nc");
}

TEST(Console, NoStatusAndNoEscapesWhereThereIsNoTerminal) {
  const TestFile file;
  Console console(file.fd());
  console.set_status("working");
  console.print("line");
  console.clear_status();
  EXPECT_EQ(file.read(), "line\n");
}

TEST(Console, LinesOfManyThreadsStayWhole) {
  const TestFile file;
  Console console(file.fd());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&console, t] {
      for (int i = 0; i < 200; ++i) console.print(std::string(50, static_cast<char>('a' + t)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = file.read();
  ASSERT_EQ(text.size(), 4U * 200U * 51U);
  for (size_t i = 0; i < text.size(); i += 51) {
    EXPECT_EQ(text.substr(i, 50), std::string(50, text[i]));
    EXPECT_EQ(text[i + 50], '\n');
  }
}

}  // namespace
}  // namespace fastvideo::host
