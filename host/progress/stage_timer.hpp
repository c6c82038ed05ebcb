// Seconds per stage of a run, for the summary.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo::host {

/// Seconds since some fixed moment; never goes back.
using Clock = std::function<double()>;

/// Seconds of std::chrono::steady_clock.
double steady_seconds();

/// One line of the summary.
struct StageTime {
  std::string name;
  double seconds = 0;
  int64_t steps = 0;  ///< steps done, 0 if the stage has none
  /// Of each step, from the end of the one before it; steps that were reported at once share their time. On a GPU a
  /// step may be reported when its work is enqueued: single ones tell less than their sum.
  std::vector<double> step_seconds = {};
  uint64_t bytes = 0;  ///< of weights, loaded
};

/// Adds up the time spent in each stage. A stage that is entered again goes on counting. One thread at a time.
class StageTimer {
 public:
  explicit StageTimer(Clock clock = steady_seconds) : clock_(std::move(clock)) {}

  /// The stage before it, if any, ends here.
  void enter(std::string_view stage);
  /// Counts steps of the current stage; without one, nothing happens.
  void add_steps(int64_t count);
  /// Counts bytes that the current stage has loaded.
  void add_bytes(uint64_t count);
  /// Ends the current stage, if any.
  void stop();

  /// In the order of their first entry, the current one up to now.
  std::vector<StageTime> stages() const;

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  Clock clock_;
  std::vector<StageTime> stages_;
  size_t current_ = kNone;
  double entered_ = 0;
  double step_began_ = 0;
};

}  // namespace fastvideo::host
