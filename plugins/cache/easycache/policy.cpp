#include "plugins/cache/easycache/policy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

namespace fastvideo::easycache {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
enum Measure : size_t { kInputStep, kInputSinceComputed, kOutputSinceComputed, kOutput, kMeasures };

class Session final : public CacheSession {
 public:
  Session(double threshold, int32_t kept_first) : threshold_(threshold), kept_first_(kept_first) {
    plan_.cut = {FV_CUT_MODEL, 0, 0, 0};
    plan_.measures = {{"latent.in", FV_NORM_L1, FV_MINUS_PREVIOUS},
                      {"latent.in", FV_NORM_L1, FV_MINUS_LAST_COMPUTED},
                      {"model.out", FV_NORM_L1, FV_MINUS_LAST_COMPUTED},
                      {"model.out", FV_NORM_L1, FV_MINUS_NOTHING}};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  }
  const CachePlan& plan() const override { return plan_; }

  // The conditional branch decides, if every row of its pass may be left out; the other branches follow it, since their
  // inputs are the same.
  CacheDecision decide(const fv_cache_point& point, std::span<const double> measured) override {
    const bool kept = point.step < kept_first_ || point.step == point.steps - 1 || point.expert != expert_;
    bool leads = false, small = true;
    for (int32_t row = 0; row < point.batch; ++row) {
      if (point.branches[row] != 0) continue;
      leads = true;
      Row& of = rows_[row];
      if (!kept) of.error += of.rate * measured[static_cast<size_t>(row) * kMeasures + kInputStep] / of.output_norm;
      small &= of.error < threshold_;  // NaN computes
    }
    if (leads) {
      expert_ = point.expert;
      compute_ = kept || !small;
      if (compute_)
        for (auto& [row, of] : rows_) of.error = 0;
    }
    return compute_ ? CacheDecision::computed() : CacheDecision::combined({1.0, 1.0});
  }
  void observe(const fv_cache_point& point, std::span<const double> measured) override {
    for (int32_t row = 0; row < point.batch; ++row) {
      if (point.branches[row] != 0) continue;
      const double* now = &measured[static_cast<size_t>(row) * kMeasures];
      rows_[row].rate = now[kOutputSinceComputed] / now[kInputSinceComputed];  // NaN at the first step
      rows_[row].output_norm = now[kOutput];
    }
  }

 private:
  struct Row {
    double rate = kUnknown;         // change of the output for a change of the input, last two computed steps
    double output_norm = kUnknown;  // of the last computed step
    double error = 0;               // estimated relative change of the output since then
  };
  CachePlan plan_;
  double threshold_;
  int32_t kept_first_;
  int32_t expert_ = 0;
  bool compute_ = true;
  std::map<int32_t, Row> rows_;  // of the conditional branch, by their place in its pass
};

}  // namespace

EasyCache::EasyCache(const Options& options)
    : threshold_(options.number("threshold")), kept_first_(static_cast<int32_t>(options.integer("kept_first_steps"))) {
  if (!(threshold_ >= 0 && std::isfinite(threshold_)))
    throw Refused("threshold " + std::to_string(threshold_) + " is not a number from 0 on");
}

std::string EasyCache::refuses(const fv_cache_session_info& info) const {
  if ((info.cuts & FV_CUT_MODEL) == 0) return "this pipeline cannot leave out a whole forward pass";
  if (kept_first_ + 1 >= info.steps)
    return std::to_string(info.steps) + " steps leave nothing to skip: the first " + std::to_string(kept_first_) +
           " and the last one are always computed; ask for " + std::to_string(kept_first_ + 2) +
           " steps or more, or lower kept_first_steps";
  for (const std::string_view wanted : {"latent.in", "model.out"})
    if (std::none_of(info.signals, info.signals + info.signal_count, [&](const char* one) { return wanted == one; }))
      return "this pipeline does not measure " + std::string(wanted);
  return {};
}

std::unique_ptr<CacheSession> EasyCache::open(const fv_cache_session_info&) {
  return std::make_unique<Session>(threshold_, kept_first_);
}

}  // namespace fastvideo::easycache
