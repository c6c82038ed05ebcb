#include "host/cli/progress_bar.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

constexpr int kBarWidth = 24;
constexpr double kSecondsBetweenDraws = 0.1;
// In a file: a line for a tenth of the stage unless lines would come thick and fast, and a sign of life in a long one.
constexpr double kSecondsBetweenLines = 2;
constexpr double kSecondsUntilALine = 30;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

// "07:05", or "1:07:05" from an hour on
std::string clock_time(double seconds) {
  const auto total = std::llround(std::max(seconds, 0.0));
  const long long hours = total / 3600;
  const long long minutes = total / 60 % 60;
  if (hours > 0) return format("%lld:%02lld:%02lld", hours, minutes, total % 60);
  return format("%02lld:%02lld", minutes, total % 60);
}

// "1.43 s/step", "0.012 s/step": three digits that count
std::string pace_of_steps(double seconds_per_step) {
  const int decimals = seconds_per_step >= 100 ? 0 : seconds_per_step >= 10 ? 1 : seconds_per_step >= 1 ? 2 : 3;
  return format("%.*f s/step", decimals, seconds_per_step);
}

// "872 MiB/s"
std::string pace_of_bytes(int64_t bytes, double seconds) {
  return readable_bytes(static_cast<uint64_t>(static_cast<double>(bytes) / std::max(seconds, 1e-3))) + "/s";
}

std::string bar(double share) {
  const auto filled = static_cast<size_t>(kBarWidth * share);
  std::string text(kBarWidth, '.');
  std::fill_n(text.begin(), filled, '#');
  return '[' + text + ']';
}

}  // namespace

ProgressBar::ProgressBar(Console& console, ProgressStyle style, Clock clock)
    : console_(console),
      shape_(style == ProgressStyle::none                                 ? Shape::none
             : style == ProgressStyle::automatic && console.is_terminal() ? Shape::bar
                                                                          : Shape::lines),
      clock_(std::move(clock)) {}

ProgressBar::~ProgressBar() {
  if (active_ && shape_ == Shape::bar) console_.clear_status();
}

void ProgressBar::stage(std::string_view name, int64_t steps) {
  leave_line();
  active_ = true;
  name_ = name;
  unit_ = Unit::steps;
  all_ = steps;
  done_ = 0;
  started_ = clock_();
  drawn_ = started_;
  drawn_tenths_ = 0;
  if (shape_ == Shape::bar) draw_bar();
}

void ProgressBar::step(int64_t done) {
  if (unit_ == Unit::steps) advance(done);
}

// A stage that has steps shows them.
void ProgressBar::loaded(uint64_t done, uint64_t all) {
  if (unit_ == Unit::steps && all_ > 0) return;
  unit_ = Unit::bytes;
  all_ = static_cast<int64_t>(all);
  advance(static_cast<int64_t>(done));
}

void ProgressBar::advance(int64_t done) {
  done_ = done;
  if (shape_ == Shape::bar && (clock_() - drawn_ >= kSecondsBetweenDraws || done_ == all_)) draw_bar();
  if (shape_ == Shape::lines) print_line_if_due();
}

void ProgressBar::end(bool is_whole) {
  if (is_whole) leave_line();
  active_ = false;
  if (shape_ == Shape::bar) console_.clear_status();
}

// "12/30", "1.20 GiB of 2.64 GiB"
std::string ProgressBar::counted() const {
  if (unit_ == Unit::steps) return std::to_string(done_) + "/" + std::to_string(all_);
  const std::string all = readable_bytes(static_cast<uint64_t>(all_));
  return done_ == all_ ? all : readable_bytes(static_cast<uint64_t>(done_)) + " of " + all;
}

std::string ProgressBar::pace(double elapsed) const {
  return unit_ == Unit::steps ? pace_of_steps(elapsed / static_cast<double>(done_)) : pace_of_bytes(done_, elapsed);
}

// "1.43 s/step, 00:17 elapsed, 00:26 left"
std::string ProgressBar::timing(double elapsed) const {
  if (done_ <= 0) return clock_time(elapsed) + " elapsed";
  const double left = elapsed / static_cast<double>(done_) * static_cast<double>(all_ - done_);
  return pace(elapsed) + ", " + clock_time(elapsed) + " elapsed, " + clock_time(left) + " left";
}

// Of the stage that has ended.
void ProgressBar::leave_line() {
  if (!active_ || shape_ == Shape::none) return;
  const double elapsed = clock_() - started_;
  std::string line = name_ + ": ";
  if (all_ > 0) line += counted() + " in ";
  line += format("%.2f s", elapsed);
  if (done_ > 0) line.append(" (").append(pace(elapsed)).append(")");
  console_.clear_status();
  console_.print(line);
}

void ProgressBar::draw_bar() {
  drawn_ = clock_();
  if (all_ == 0) {
    console_.set_status(name_ + " ...");
    return;
  }
  const double share = static_cast<double>(done_) / static_cast<double>(all_);
  console_.set_status(name_ + " " + bar(share) + " " + counted() + "  " + timing(drawn_ - started_));
}

void ProgressBar::print_line_if_due() {
  if (all_ == 0 || done_ == all_) return;  // the end has its own line
  const double now = clock_();
  const int64_t tenths = 10 * done_ / all_;
  const bool next_tenth = tenths > drawn_tenths_ && now - drawn_ >= kSecondsBetweenLines;
  if (!next_tenth && now - drawn_ < kSecondsUntilALine) return;
  drawn_ = now;
  drawn_tenths_ = tenths;
  console_.print(name_ + ": " + counted() + ", " + timing(now - started_));
}

}  // namespace fastvideo::host
