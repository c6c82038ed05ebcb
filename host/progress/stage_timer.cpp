#include "host/progress/stage_timer.hpp"

#include <algorithm>
#include <chrono>

namespace fastvideo::host {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void StageTimer::enter(std::string_view stage) {
  stop();
  const auto known = std::ranges::find(stages_, stage, &StageTime::name);
  current_ = static_cast<size_t>(known - stages_.begin());
  if (known == stages_.end()) stages_.push_back({std::string(stage), 0, 0});
  entered_ = step_began_ = clock_();
}

void StageTimer::add_steps(int64_t count) {
  if (current_ == kNone || count <= 0) return;
  const double now = clock_();
  StageTime& stage = stages_[current_];
  stage.steps += count;
  stage.step_seconds.insert(stage.step_seconds.end(), static_cast<size_t>(count),
                            (now - step_began_) / static_cast<double>(count));
  step_began_ = now;
}

void StageTimer::add_bytes(uint64_t count) {
  if (current_ != kNone) stages_[current_].bytes += count;
}

void StageTimer::stop() {
  if (current_ == kNone) return;
  stages_[current_].seconds += clock_() - entered_;
  current_ = kNone;
}

std::vector<StageTime> StageTimer::stages() const {
  std::vector<StageTime> result = stages_;
  if (current_ != kNone) result[current_].seconds += clock_() - entered_;
  return result;
}

}  // namespace fastvideo::host
