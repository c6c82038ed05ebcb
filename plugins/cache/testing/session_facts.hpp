// A session's facts for a strategy under test, and options as the host passes them.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>
#include <vector>

namespace fastvideo::testing {

/// Options of numbers, as a manifest declares them.
class OptionList {
 public:
  OptionList& number(const char* name, double value) {
    fv_value v{FV_VALUE_FLOAT, 0, {}};
    v.as.number = value;
    entries_.push_back({name, v});
    return *this;
  }
  OptionList& integer(const char* name, int64_t value) {
    fv_value v{FV_VALUE_INT, 0, {}};
    v.as.integer = value;
    entries_.push_back({name, v});
    return *this;
  }
  Options get() const { return {entries_.data(), static_cast<uint32_t>(entries_.size())}; }

 private:
  std::vector<fv_entry> entries_;
};

/// A pipeline that offers every cut and the named signals; fields may be changed.
class SessionFacts {
 public:
  explicit SessionFacts(int32_t steps, std::vector<const char*> signals = {})
      : signals_(std::move(signals)),
        early_(signals_.size(), 0),
        sigmas_(static_cast<size_t>(steps) + 1, 0.5),
        timesteps_(static_cast<size_t>(steps), 500),
        expert_of_step(static_cast<size_t>(steps), 0) {
    info.struct_size = sizeof(info);
    info.cuts = FV_CUT_MODEL | FV_CUT_BLOCKS | FV_CUT_BRANCH;
    info.model = "some-model";
    info.preset = "";
    info.steps = steps;
    info.branches = 2;
    info.branches_at_once = 1;
    info.blocks = 30;
    info.experts = 1;
    info.signal_count = static_cast<uint32_t>(signals_.size());
    info.signals = signals_.data();
    info.early = early_.data();
    info.sigmas = sigmas_.data();
    info.timesteps = timesteps_.data();
    info.expert_of_step = expert_of_step.data();
  }
  SessionFacts(const SessionFacts&) = delete;
  SessionFacts& operator=(const SessionFacts&) = delete;

 private:
  std::vector<const char*> signals_;
  std::vector<uint8_t> early_;
  std::vector<double> sigmas_, timesteps_;

 public:
  std::vector<int32_t> expert_of_step;
  fv_cache_session_info info{};
};

/// The point of one branch at one step.
inline fv_cache_point point_at(const SessionFacts& facts, int32_t step, const int32_t& branch) {
  return {sizeof(fv_cache_point),
          step,
          facts.info.steps,
          facts.expert_of_step[static_cast<size_t>(step)],
          0.5,
          &branch,
          1,
          0};
}

}  // namespace fastvideo::testing
