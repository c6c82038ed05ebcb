#include "host/progress/run_progress.hpp"

#include <algorithm>

#include "host/error/error.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

constexpr int64_t kMostSteps = 10'000'000;  // each has its time kept

}  // namespace

RunProgress::RunProgress(RunObserver* observer, Clock clock) : observer_(observer), timer_(std::move(clock)) {}

RunProgress::~RunProgress() { stop(); }

template <class Body>
void RunProgress::tell(Body&& body) noexcept {
  if (observer_ == nullptr) return;
  try {
    body(*observer_);
  } catch (...) {  // NOLINT(bugprone-empty-catch): an observer has no say in a run
  }
}

void RunProgress::stage(std::string_view name, int64_t steps) {
  if (is_over_) return;
  timer_.enter(name);
  name_ = printable(name);
  steps_ = std::clamp<int64_t>(steps, 0, kMostSteps);
  done_ = 0;
  loaded_ = to_load_ = 0;
  tell([&](RunObserver& one) { one.stage(name_, steps_); });
}

void RunProgress::step(int64_t done) {
  if (is_over_ || name_.empty()) return;
  // Whatever a pipeline says, progress neither runs back nor past its end.
  done = std::clamp(done, done_, std::max(steps_, done_));
  timer_.add_steps(done - done_);
  done_ = done;
  tell([&](RunObserver& one) { one.step(done_); });
}

void RunProgress::loaded(uint64_t done, uint64_t all) {
  if (is_over_ || name_.empty()) return;
  to_load_ = std::max({to_load_, all, loaded_});
  done = std::min(done, to_load_);
  if (done <= loaded_) return;
  timer_.add_bytes(done - loaded_);
  loaded_ = done;
  tell([&](RunObserver& one) { one.loaded(loaded_, to_load_); });
}

void RunProgress::end(bool is_whole) {
  if (is_over_) return;
  is_over_ = true;
  timer_.stop();
  tell([&](RunObserver& one) { one.end(is_whole); });
}

std::string RunProgress::position() const {
  if (is_over_ || name_.empty()) return {};
  if (to_load_ > 0) return name_ + " " + readable_bytes(loaded_) + " of " + readable_bytes(to_load_);
  if (steps_ == 0) return name_;
  return name_ + " " + std::to_string(done_) + "/" + std::to_string(steps_);
}

}  // namespace fastvideo::host
