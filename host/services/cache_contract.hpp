// What the header promises of a caching strategy, checked: by the host's cache service in every run, and by
// `fastvideo plugins check`.
#pragma once

#include <fastvideo/cache.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fastvideo::host {

/// What is wrong with what a strategy said.
struct CacheFault {
  std::string text;             ///< empty: nothing
  bool is_of_pipeline = false;  ///< the pipeline cannot do what is asked: a refusal rather than a broken contract
  explicit operator bool() const { return !text.empty(); }
};

/// Of what a pipeline offers. Its pointers are only followed where the counts say so.
CacheFault fault_of_offer(const fv_cache_session_info& info);

/// Of a plan in answer to an offer that is none's fault.
CacheFault fault_of_plan(const fv_cache_plan& plan, const fv_cache_session_info& info, const fv_cache_interface& table);

/// The answers of one session: whether each can be followed, and what they leave out.
class CacheAnswers {
 public:
  CacheAnswers() = default;
  /// plan and info are those of the session, without fault.
  CacheAnswers(const fv_cache_plan& plan, const fv_cache_session_info& info);

  /// Before the strategy: answers are lent to it, none of which can be followed unless it is written. They live until
  /// take_back.
  void lend(std::span<fv_cache_decision* const> decisions);

  /// After it, however it ended: what it has put in the place of their coefficients is put back, and those of an answer
  /// to compute are zeros again. Empty, or what it did.
  std::string take_back();

  /// Of one answer, for the pass of `branches` (once each) at a step: empty if it can be followed, else what is wrong.
  std::string fault(int32_t step, std::span<const int32_t> branches, const fv_cache_decision& decision) const;
  /// Takes note that the pass computes its cut, or leaves it out.
  void note(std::span<const int32_t> branches, bool computes);

  /// The same for a whole schedule, [steps][branches]: returns the first fault, or fills for each branch the steps that
  /// are left out. Branches that run in one pass are left out together, in one way, or not at all.
  std::string fault_of_schedule(fv_cache_decision* const* decisions, std::vector<std::vector<int32_t>>& left_out);

  /// Whether the plan's cut concerns the passes of that branch.
  bool concerns(int32_t branch) const { return cut_.kind != FV_CUT_BRANCH || branch == cut_.first; }
  size_t slots() const { return slots_.size(); }

 private:
  fv_cache_cut cut_{};
  std::vector<fv_cache_slot> slots_;
  int32_t steps_ = 0;
  bool at_once_ = false;
  std::vector<int32_t> computed_;  // per branch: steps at which the cut was computed
  std::vector<std::pair<fv_cache_decision*, fv_cache_decision>> lent_;  // with what they were before
};

}  // namespace fastvideo::host
