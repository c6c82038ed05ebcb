#include "plugins/cache/guidance_gate/policy.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace fastvideo::guidance_gate {
namespace {

constexpr int32_t kConditional = 0, kUnconditional = 1;

class Session final : public CacheSession {
 public:
  Session(const fv_cache_session_info& info, int32_t first_gated)
      : first_gated_(first_gated),
        expert_of_step_(info.expert_of_step, info.expert_of_step + info.steps),
        branches_(static_cast<size_t>(info.branches)) {
    plan_.is_static = true;
    plan_.cut = {FV_CUT_BRANCH, kUnconditional, 0, 0};
    plan_.slots = {{FV_KEEP_BRANCH_DIFFERENCE, 0, kConditional, 0}};
  }
  const CachePlan& plan() const override { return plan_; }

  std::vector<CacheDecision> schedule(std::span<const double>) override {
    std::vector<CacheDecision> decisions(expert_of_step_.size() * branches_);
    for (size_t step = static_cast<size_t>(first_gated_); step < expert_of_step_.size(); ++step) {
      const bool same_expert = expert_of_step_[step] == expert_of_step_[step - 1];
      if (same_expert) decisions[step * branches_ + kUnconditional] = CacheDecision::combined({1.0, 1.0});
    }
    return decisions;
  }

 private:
  int32_t first_gated_;
  std::vector<int32_t> expert_of_step_;
  size_t branches_;
  CachePlan plan_;
};

}  // namespace

GuidanceGate::GuidanceGate(const Options& options) : gate_step_(options.number("gate_step")) {
  if (!(gate_step_ >= 0 && gate_step_ <= 1))
    throw Refused("gate_step " + std::to_string(gate_step_) + " is not between 0 and 1");
}

// At least one step must compute a difference to keep.
int32_t GuidanceGate::first_gated(int32_t steps) const {
  return std::max(1, static_cast<int32_t>(std::ceil(gate_step_ * steps)));
}

std::string GuidanceGate::refuses(const fv_cache_session_info& info) const {
  if (info.branches < 2)
    return "without guidance there is one branch and nothing to gate: use --guidance-scale above 1";
  if ((info.cuts & FV_CUT_BRANCH) == 0) return "this pipeline cannot leave out a branch";
  if (first_gated(info.steps) >= info.steps)
    return "gate_step " + std::to_string(gate_step_) + " of " + std::to_string(info.steps) +
           " steps leaves no step to gate; lower it";
  return {};
}

std::unique_ptr<CacheSession> GuidanceGate::open(const fv_cache_session_info& info) {
  return std::make_unique<Session>(info, first_gated(info.steps));
}

}  // namespace fastvideo::guidance_gate
