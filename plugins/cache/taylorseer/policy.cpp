#include "plugins/cache/taylorseer/policy.hpp"

#include <algorithm>

namespace fastvideo::taylorseer {
namespace {

class Session final : public CacheSession {
 public:
  Session(const fv_cache_session_info& info, Settings settings)
      : settings_(settings),
        expert_of_step_(info.expert_of_step, info.expert_of_step + info.steps),
        branches_(static_cast<size_t>(info.branches)) {
    plan_.is_static = true;
    plan_.cut = {FV_CUT_BLOCKS, 0, info.blocks, 0};
    for (int32_t back = 0; back <= settings.max_order; ++back) plan_.slots.push_back({FV_KEEP_RESIDUAL, back, 0, 0});
  }
  const CachePlan& plan() const override { return plan_; }

  std::vector<CacheDecision> schedule(std::span<const double>) override {
    const auto steps = static_cast<int32_t>(expert_of_step_.size());
    std::vector<CacheDecision> decisions;
    std::vector<int32_t> computed;  // newest first, of the current expert
    for (int32_t step = 0; step < steps; ++step) {
      const bool other_expert =
          step > 0 && expert_of_step_[static_cast<size_t>(step)] != expert_of_step_[static_cast<size_t>(step) - 1];
      if (other_expert) computed.clear();
      CacheDecision decision;
      if (computed.empty() || is_computed(settings_, step, steps)) {
        computed.insert(computed.begin(), step);
        computed.resize(std::min(computed.size(), plan_.slots.size()));
      } else {
        std::vector<double> coefficients = extrapolation(computed, settings_.max_order, step);
        coefficients.resize(plan_.slots.size(), 0.0);
        coefficients.push_back(1.0);  // the blocks' input
        decision = CacheDecision::combined(std::move(coefficients));
      }
      decisions.insert(decisions.end(), branches_, decision);
    }
    return decisions;
  }

 private:
  Settings settings_;
  std::vector<int32_t> expert_of_step_;
  size_t branches_;
  CachePlan plan_;
};

}  // namespace

bool is_computed(const Settings& settings, int32_t step, int32_t steps) {
  const int32_t since = step - (settings.kept_first - 1);
  return since <= 0 || since % settings.interval == 0 || step == steps - 1;
}

std::vector<double> extrapolation(const std::vector<int32_t>& computed, int32_t max_order, int32_t step) {
  const size_t count = computed.size();
  // difference[i]: D_j(i) as the weight of each computed step in it.
  std::vector<std::vector<double>> difference(count, std::vector<double>(count, 0.0));
  for (size_t i = 0; i < count; ++i) difference[i][i] = 1;
  std::vector<double> result(count, 0.0);
  const double ahead = step - computed.front();
  double factor = 1;  // ahead^j / j!
  for (size_t order = 0; order < count && order <= static_cast<size_t>(max_order); ++order) {
    for (size_t k = 0; k < count; ++k) result[k] += factor * difference[0][k];
    factor *= ahead / static_cast<double>(order + 1);
    for (size_t i = 0; i + order + 1 < count; ++i)
      for (size_t k = 0; k < count; ++k)
        difference[i][k] = (difference[i][k] - difference[i + 1][k]) / (computed[i] - computed[i + 1]);
  }
  return result;
}

TaylorSeer::TaylorSeer(const Options& options)
    : settings_{static_cast<int32_t>(options.integer("interval")), static_cast<int32_t>(options.integer("max_order")),
                static_cast<int32_t>(options.integer("kept_first_steps"))} {}

std::string TaylorSeer::refuses(const fv_cache_session_info& info) const {
  if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
  if (settings_.kept_first + 1 >= info.steps)
    return std::to_string(info.steps) + " steps leave nothing to skip: the first " +
           std::to_string(settings_.kept_first) + " and the last one are always computed; ask for " +
           std::to_string(settings_.kept_first + 2) + " steps or more, or lower kept_first_steps";
  return {};
}

std::unique_ptr<CacheSession> TaylorSeer::open(const fv_cache_session_info& info) {
  return std::make_unique<Session>(info, settings_);
}

}  // namespace fastvideo::taylorseer
