// TeaCache (Liu et al. 2024, arXiv 2411.19108): while the timestep embedding has moved little since the last computed
// step, the blocks' residual of that step replaces the blocks.
#pragma once

#include <fastvideo/cache.hpp>
#include <map>
#include <utility>
#include <vector>

#include "plugins/cache/teacache/coefficients.hpp"

namespace fastvideo::teacache {

struct Settings {
  double threshold;
  int32_t kept_first;  ///< steps that are always computed, at the beginning
  int32_t kept_last;   ///< steps that are always computed, at the end
};

/// The accumulator of one batch row (equation 6 of the paper):
///   sum over the steps since the last computed step of poly(|s_t - s_{t-1}|_1 / |s_{t-1}|_1).
/// A step is left out while the sum stays below the threshold, so a lower threshold leaves out fewer steps.
class Accumulator {
 public:
  /// Whether step may be left out. norm: mean |s_t|; change: mean |s_t - s_{t-1}|.
  bool advance(const Settings& settings, const Row& row, int32_t step, int32_t steps, int32_t expert, double norm,
               double change);
  /// Call when the step is computed.
  void reset() { sum_ = 0; }

 private:
  double sum_ = 0;
  double previous_norm_ = 0;
  int32_t previous_expert_ = 0;
};

class Session final : public CacheSession {
 public:
  Session(const fv_cache_session_info& info, Settings settings, std::vector<const Row*> rows);

  const CachePlan& plan() const override { return plan_; }
  std::vector<CacheDecision> schedule(std::span<const double> measurements) override;
  CacheDecision decide(const fv_cache_point& point, std::span<const double> measurements) override;

 private:
  Settings settings_;
  std::vector<const Row*> rows_;  // [experts]
  std::vector<int32_t> expert_of_step_;
  int32_t branches_;
  CachePlan plan_;
  std::map<std::pair<int32_t, int32_t>, Accumulator> accumulators_;  // by branch and row of its pass
};

class TeaCache final : public CacheStrategy {
 public:
  explicit TeaCache(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  Settings settings_for(const Row& row) const;

  std::vector<Row> rows_;
  std::optional<double> threshold_;
  std::optional<bool> use_ret_steps_;
  std::optional<int32_t> kept_first_;
  std::optional<int32_t> kept_last_;
};

}  // namespace fastvideo::teacache
