#include "host/cli/progress_bar.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "host/console/console_log.hpp"
#include "host/console/test_terminal.hpp"
#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

class OnTerminal : public ::testing::Test {
 protected:
  // What the viewer sees now.
  std::string screen() {
    output_ += terminal_.read();
    return TestTerminal::screen(output_);
  }

  double now_ = 1000;
  TestTerminal terminal_{120};
  Console console_{terminal_.fd()};
  ProgressBar bar_{console_, ProgressStyle::automatic, [this] { return now_; }};
  RunProgress progress_{&bar_, [this] { return now_; }};

 private:
  std::string output_;
};

TEST_F(OnTerminal, ShowsStageStepsPaceElapsedAndLeft) {
  progress_.stage("denoise", 30);
  EXPECT_EQ(screen(), "denoise [........................] 0/30  00:00 elapsed");
  now_ += 15;
  progress_.step(10);
  EXPECT_EQ(screen(), "denoise [########................] 10/30  1.50 s/step, 00:15 elapsed, 00:30 left");
  EXPECT_EQ(progress_.position(), "denoise 10/30");
}

TEST_F(OnTerminal, AStageThatEndedLeavesOneLine) {
  progress_.stage("encode text", 0);
  EXPECT_EQ(screen(), "encode text ...");
  now_ += 0.25;
  progress_.stage("denoise", 2);
  now_ += 1;
  progress_.step(1);
  now_ += 1;
  progress_.step(2);
  progress_.finish();
  EXPECT_EQ(screen(), "encode text: 0.25 s\ndenoise: 2/2 in 2.00 s (1.00 s/step)\n");
  EXPECT_EQ(progress_.position(), "");
}

TEST_F(OnTerminal, ShowsBytesOfWeightsAndTheirPace) {
  constexpr uint64_t kGibibyte = uint64_t{1} << 30;
  progress_.stage("load transformer", 0);
  now_ += 2;
  progress_.loaded(kGibibyte, 4 * kGibibyte);
  EXPECT_EQ(screen(),
            "load transformer [######..................] 1.00 GiB of 4.00 GiB  512 MiB/s, 00:02 elapsed, 00:06 left");
  EXPECT_EQ(progress_.position(), "load transformer 1.00 GiB of 4.00 GiB");
  progress_.loaded(kGibibyte / 2, 4 * kGibibyte);
  progress_.loaded(5 * kGibibyte, 3 * kGibibyte);
  EXPECT_EQ(progress_.position(), "load transformer 4.00 GiB of 4.00 GiB") << "neither back nor past the end";
  now_ += 2;
  progress_.finish();
  EXPECT_EQ(screen(), "load transformer: 4.00 GiB in 4.00 s (1.00 GiB/s)\n");
  EXPECT_EQ(progress_.times()[0].bytes, 4 * kGibibyte);
  EXPECT_EQ(progress_.times()[0].steps, 0);
}

TEST_F(OnTerminal, HoursAndSmallStepsAreReadable) {
  progress_.stage("denoise", 100);
  now_ += 7200;
  progress_.step(50);
  EXPECT_EQ(screen(), "denoise [############............] 50/100  144 s/step, 2:00:00 elapsed, 2:00:00 left");
  progress_.stage("decode", 1000);
  now_ += 6;
  progress_.step(500);
  EXPECT_NE(screen().find("500/1000  0.012 s/step, 00:06 elapsed, 00:06 left"), std::string::npos);
}

TEST_F(OnTerminal, DrawsAtMostTenTimesASecondButAlwaysTheEnd) {
  progress_.stage("fast", 1000);
  now_ += 0.05;
  progress_.step(500);
  EXPECT_NE(screen().find(" 0/1000"), std::string::npos);
  progress_.step(1000);
  EXPECT_NE(screen().find(" 1000/1000"), std::string::npos);
}

TEST_F(OnTerminal, NeitherRunsBackNorPastItsEnd) {
  progress_.step(3);  // outside of stages
  EXPECT_EQ(screen(), "");
  progress_.stage("denoise", 4);
  progress_.step(2);
  progress_.step(1);
  EXPECT_EQ(progress_.position(), "denoise 2/4");
  progress_.step(9);
  EXPECT_EQ(progress_.position(), "denoise 4/4");
  EXPECT_EQ(progress_.times()[0].steps, 4);
}

TEST_F(OnTerminal, AStoppedRunLeavesNoBar) {
  progress_.stage("denoise", 4);
  now_ += 2;
  progress_.step(1);
  progress_.stop();
  EXPECT_EQ(screen(), "");
  EXPECT_DOUBLE_EQ(progress_.times()[0].seconds, 2);
}

TEST_F(OnTerminal, ALogLineAppearsAboveTheBar) {
  log_to(console_);
  progress_.stage("denoise", 4);
  log_warning("plugin", "careful");
  log_to(Console::standard_error());
  const std::string seen = screen();
  EXPECT_EQ(seen.substr(seen.find("[plugin]")),
            "[plugin] careful\ndenoise [........................] 0/4  00:00 elapsed");
}

TEST_F(OnTerminal, AStageNameCannotSteerTheTerminal) {
  progress_.stage("a\033[2Jb", 0);
  progress_.finish();
  EXPECT_EQ(screen(), "a\\x1b[2Jb: 0.00 s\n");
}

class InAFile : public ::testing::Test {
 protected:
  std::unique_ptr<RunProgress> start(ProgressStyle style) {
    const Clock clock = [this] { return now_; };
    bar_ = std::make_unique<ProgressBar>(console_, style, clock);
    return std::make_unique<RunProgress>(bar_.get(), clock);
  }

  double now_ = 0;
  TestFile file_;
  Console console_{file_.fd()};
  std::unique_ptr<ProgressBar> bar_;
};

TEST_F(InAFile, OneLineForATenth) {
  const auto progress = start(ProgressStyle::automatic);
  progress->stage("denoise", 20);
  for (int step = 1; step <= 20; ++step) {
    now_ += 2;
    progress->step(step);
  }
  progress->finish();
  std::string expected;
  for (int step = 2; step < 20; step += 2) {
    char line[100];
    std::snprintf(line, sizeof line, "denoise: %d/20, 2.00 s/step, 00:%02d elapsed, 00:%02d left\n", step, 2 * step,
                  40 - 2 * step);
    expected += line;
  }
  EXPECT_EQ(file_.read(), expected + "denoise: 20/20 in 40.00 s (2.00 s/step)\n");
}

TEST_F(InAFile, AFastStageIsOneLineAndASlowOneGivesSignsOfLife) {
  const auto progress = start(ProgressStyle::lines);
  progress->stage("fast", 50);
  for (int step = 1; step <= 50; ++step) {
    now_ += 0.01;
    progress->step(step);
  }
  progress->stage("slow", 1000);
  for (int step = 1; step <= 3; ++step) {
    now_ += 20;
    progress->step(step);
  }
  EXPECT_EQ(file_.read(),
            "fast: 50/50 in 0.50 s (0.010 s/step)\n"
            "slow: 2/1000, 20.0 s/step, 00:40 elapsed, 5:32:40 left\n");
}

TEST_F(InAFile, NoneShowsNothingAndStillTimes) {
  const auto progress = start(ProgressStyle::none);
  progress->stage("denoise", 2);
  now_ += 3;
  progress->step(2);
  progress->finish();
  EXPECT_EQ(file_.read(), "");
  ASSERT_EQ(progress->times().size(), 1U);
  EXPECT_DOUBLE_EQ(progress->times()[0].seconds, 3);
  EXPECT_EQ(progress->times()[0].steps, 2);
}

}  // namespace
}  // namespace fastvideo::host
