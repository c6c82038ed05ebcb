// A video's denoising loop without tensors: calls a caching strategy and checks that its answers can be followed.
#pragma once

#include <fastvideo/cache.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "host/services/cache_contract.hpp"
#include "tools/check/subject.hpp"

namespace fastvideo::host::conformance {

/// A session's facts, with their memory. Not movable.
class SessionFacts {
 public:
  /// `together`: both branches in one forward pass. `signals`: the pipeline offers every signal, or none.
  SessionFacts(std::string model, int32_t steps, bool together, bool signals = true);
  SessionFacts(const SessionFacts&) = delete;
  SessionFacts& operator=(const SessionFacts&) = delete;

  fv_cache_session_info info{};

 private:
  std::string model_;
  std::vector<std::string> names_;
  std::vector<const char*> signals_;
  std::vector<uint8_t> early_;
  std::vector<double> sigmas_, timesteps_;
  std::vector<int32_t> experts_;
};

/// One session, driven step by step. Every answer is checked; a broken rule is a Fault.
class Rehearsal {
 public:
  Rehearsal(const fv_cache_interface* table, fv_cache_strategy* strategy, const SessionFacts& facts);
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  /// All forward passes of a step. For a static session, the first step asks for the whole schedule.
  void step(int32_t step);

  /// Every decision so far, in order: 1 for compute, then the coefficients.
  const std::vector<double>& decisions() const { return decisions_; }

 private:
  void check_plan();
  void schedule();
  void pass(int32_t step, const std::vector<int32_t>& branches);
  std::vector<double> measurements(int32_t step, size_t rows, bool afterwards);
  void take(int32_t step, const std::vector<int32_t>& branches, const fv_cache_decision& decision);

  const fv_cache_interface* table_;
  const fv_cache_session_info& info_;
  fv_cache_session* session_ = nullptr;
  fv_cache_plan plan_{};
  CacheAnswers answers_;
  std::vector<int32_t> computed_;  // per branch: steps at which the cut was computed
  std::mt19937_64 random_{7};
  std::vector<double> decisions_;
};

}  // namespace fastvideo::host::conformance
