// What a user sees while a run works: a bar on a terminal, a line now and then in a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/log/console.hpp"
#include "host/progress/stage_timer.hpp"

namespace fastvideo {

enum class ProgressStyle {
  automatic,  ///< a bar on a terminal, lines elsewhere
  lines,
  none,  ///< --no-progress
};

/// Shows how far a run is: stage, steps done, seconds a step, elapsed and remaining time. A stage that has ended leaves
/// one line with its seconds. It also times the stages. One thread at a time, which is what the ABI's progress service
/// promises.
class Progress {
 public:
  /// The console is borrowed.
  Progress(Console& console, ProgressStyle style, Clock clock = steady_seconds);
  /// Ends as stop() does.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A stage begins, and the one before it has ended. `steps` is 0 if it has none.
  void stage(std::string_view name, std::int64_t steps);
  /// So many steps of the stage are done.
  void step(std::int64_t done);
  /// The last stage has ended well: it leaves its line.
  void finish();
  /// The run ends before its time (an error, a cancellation): the bar goes and leaves nothing.
  void stop();

  /// Seconds and steps of each stage so far.
  std::vector<StageTime> times() const { return timer_.stages(); }
  /// "denoise 12/30", for a message that tells how far a run came; empty outside of stages.
  std::string position() const;

 private:
  void draw_bar();
  void print_line_if_due();

  enum class Shape { bar, lines, none };

  Console& console_;
  Shape shape_;
  Clock clock_;
  StageTimer timer_;
  bool active_ = false;
  std::string name_;
  std::int64_t steps_ = 0;
  std::int64_t done_ = 0;
  double started_ = 0;
  double drawn_ = 0;               // when the bar was last drawn or the last line printed
  std::int64_t drawn_tenths_ = 0;  // tenths of the stage that the last line told of
};

}  // namespace fastvideo
