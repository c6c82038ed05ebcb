// How far a run is: what its pipeline reports, made sane, timed, and told to an observer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/progress/stage_timer.hpp"

namespace fastvideo::host {

/// Watches a run. Called in the run's thread, between its steps: what an observer throws is dropped.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  /// A stage begins, and the one before it has ended. `steps` is 0 if it has none.
  virtual void stage(std::string_view name, int64_t steps) = 0;
  /// `done` steps of the stage are done: never fewer than before, nor more than the stage has.
  virtual void step(int64_t done) = 0;
  /// Of the weights that the stage loads, `done` bytes are there: more than before, and no more than `all`.
  virtual void loaded(uint64_t done, uint64_t all) = 0;
  /// The run is over. `is_whole`: it made all that was asked for; otherwise an error or a cancellation ended it.
  virtual void end(bool is_whole) = 0;
};

/// The progress of one run. One thread at a time, which is what the ABI's progress service promises.
class RunProgress {
 public:
  /// `observer` may be null; it is borrowed.
  explicit RunProgress(RunObserver* observer, Clock clock = steady_seconds);
  /// Ends as stop() does.
  ~RunProgress();
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  void stage(std::string_view name, int64_t steps);
  void step(int64_t done);
  void loaded(uint64_t done, uint64_t all);
  /// The run has ended well.
  void finish() { end(true); }
  /// The run ends before its time.
  void stop() { end(false); }

  /// Seconds and steps of each stage so far.
  std::vector<StageTime> times() const { return timer_.stages(); }
  /// "denoise 12/30", "load transformer 1.20 GiB of 2.64 GiB", for a message that tells how far a run came; empty
  /// outside of stages.
  std::string position() const;

 private:
  void end(bool is_whole);
  template <class Body>
  void tell(Body&& body) noexcept;

  RunObserver* observer_;
  StageTimer timer_;
  bool is_over_ = false;
  std::string name_;  // of the stage; empty before the first
  int64_t steps_ = 0;
  int64_t done_ = 0;
  uint64_t loaded_ = 0, to_load_ = 0;  // bytes
};

}  // namespace fastvideo::host
