#include "host/console/console_log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "host/console/test_terminal.hpp"
#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

class Log : public ::testing::Test {
 protected:
  void SetUp() override { log_to(console_); }
  void TearDown() override {
    log_to(Console::standard_error());
    set_log_level(LogLevel::info);
  }
  std::string output() const { return file_.read(); }

 private:
  TestFile file_;
  Console console_{file_.fd()};
};

std::string message_of(const std::string& level) {
  try {
    parse_log_level(level);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST_F(Log, LinesHaveFastVideosForm) {
  log_info("selection", "dit.self: TORCH_SDPA");
  EXPECT_TRUE(std::regex_match(
      output(), std::regex(R"(INFO \d\d-\d\d \d\d:\d\d:\d\d\.\d\d\d \[selection\] dit\.self: TORCH_SDPA\n)")))
      << output();
}

TEST_F(Log, LevelsFilterAndCarryPythonsNames) {
  const std::vector<LogLevel> levels = {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error,
                                        LogLevel::critical};
  set_log_level(LogLevel::warning);
  for (const LogLevel level : levels) {
    EXPECT_EQ(log_enabled(level), level >= LogLevel::warning);
    write_log(level, "s", "m");
  }
  EXPECT_TRUE(std::regex_match(output(), std::regex("WARNING [^\n]*\nERROR [^\n]*\nCRITICAL [^\n]*\n"))) << output();
}

TEST_F(Log, NumbersBetweenLevelsCountAsTheLowerOne) {
  set_log_level(LogLevel::debug);
  write_log(static_cast<LogLevel>(25), "p", "m");
  write_log(static_cast<LogLevel>(-5), "p", "m");
  write_log(static_cast<LogLevel>(1000), "p", "m");
  EXPECT_TRUE(std::regex_match(output(), std::regex("INFO [^\n]*\nDEBUG [^\n]*\nCRITICAL [^\n]*\n"))) << output();
}

TEST_F(Log, EachLineOfAMessageGetsThePrefixAndLaterOnesABar) {
  log_error("loader", "first\nsecond\n\nfourth\n");
  const std::regex expected(
      R"((ERROR [^\n]* \[loader\] )first\n(ERROR [^\n]* \[loader\] )\| second\n(ERROR [^\n]*) \[loader\] \| \n(ERROR [^\n]* \[loader\] )\| fourth\n)");
  std::smatch match;
  const std::string text = output();
  ASSERT_TRUE(std::regex_match(text, match, expected)) << text;
  EXPECT_EQ(match[1], match[2]) << "one message has one time";
}

TEST_F(Log, APluginCannotForgeLinesSteerTheTerminalOrBreakTheFormat) {
  write_log(LogLevel::info, "evil\nid", "\033[2J{} %v {0:d}\r");
  EXPECT_TRUE(std::regex_match(output(), std::regex(R"(INFO [^\n]* \[evil\\nid\] \\x1b\[2J\{\} %v \{0:d\}\\r\n)")))
      << output();
}

TEST_F(Log, ManyThreadsLogWholeLines) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) log_info("thread", "some text of a certain length");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(std::regex_match(
      output(), std::regex(R"((INFO \d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[thread\] some text of a certain length\n){400})",
                           std::regex::nosubs)));
}

TEST_F(Log, DoesNotTearTheStatusLine) {
  const TestTerminal terminal(200);
  Console console(terminal.fd());
  log_to(console);
  console.set_status("denoise 3/30");
  log_warning("plugin", "careful");
  const std::string screen = TestTerminal::screen(terminal.read());
  EXPECT_TRUE(std::regex_match(screen, std::regex(R"(WARNING [^\n]*\[plugin\] careful\ndenoise 3/30)"))) << screen;
  log_to(Console::standard_error());
}

TEST(LogLevelNames, AreReadInAnyLetterCase) {
  EXPECT_EQ(parse_log_level("DEBUG"), LogLevel::debug);
  EXPECT_EQ(parse_log_level("info"), LogLevel::info);
  EXPECT_EQ(parse_log_level("Warning"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("ERROR"), LogLevel::error);
  EXPECT_EQ(parse_log_level("critical"), LogLevel::critical);
  EXPECT_EQ(parse_log_level("Fatal"), LogLevel::critical);
}

TEST(LogLevelNames, OthersAreRefusedWithTheAllowedOnes) {
  const std::string allowed = ": use DEBUG, INFO, WARNING, ERROR or CRITICAL";
  EXPECT_EQ(message_of("verbose"), "unknown log level 'verbose'" + allowed);
  EXPECT_EQ(message_of(""), "unknown log level ''" + allowed);
  EXPECT_EQ(message_of("INFO "), "unknown log level 'INFO '" + allowed);
}

}  // namespace
}  // namespace fastvideo::host
