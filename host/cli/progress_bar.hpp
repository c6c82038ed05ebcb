// What a user sees while a run works: a bar on a terminal, a line now and then in a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/console/console.hpp"
#include "host/progress/run_progress.hpp"

namespace fastvideo::host {

enum class ProgressStyle {
  automatic,  ///< a bar on a terminal, lines elsewhere
  lines,
  none,  ///< --no-progress
};

/// Shows how far a run is: stage, steps done or bytes loaded, their pace, elapsed and remaining time. A stage that has
/// ended leaves one line with its seconds; one that is cut short leaves nothing. One thread at a time.
class ProgressBar final : public RunObserver {
 public:
  /// The console is borrowed.
  ProgressBar(Console& console, ProgressStyle style, Clock clock = steady_seconds);
  /// The bar goes and leaves nothing.
  ~ProgressBar() override;
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void stage(std::string_view name, int64_t steps) override;
  void step(int64_t done) override;
  void loaded(uint64_t done, uint64_t all) override;
  void end(bool is_whole) override;

 private:
  void advance(int64_t done);
  std::string counted() const;
  std::string pace(double elapsed) const;
  std::string timing(double elapsed) const;
  void leave_line();
  void draw_bar();
  void print_line_if_due();

  enum class Shape { bar, lines, none };
  enum class Unit { steps, bytes };

  Console& console_;
  Shape shape_;
  Clock clock_;
  bool active_ = false;
  std::string name_;
  Unit unit_ = Unit::steps;
  int64_t all_ = 0;  // of the stage, in its unit; 0: not known
  int64_t done_ = 0;
  double started_ = 0;
  double drawn_ = 0;          // when the bar was last drawn or the last line printed
  int64_t drawn_tenths_ = 0;  // tenths of the stage that the last line told of
};

}  // namespace fastvideo::host
