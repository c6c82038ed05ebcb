#include "plugins/cache/easycache/policy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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

  // The conditional branch decides, the others follow it: their inputs are the same.
  CacheDecision decide(const fv_cache_point& point, std::span<const double> measured) override {
    if (point.branches[0] == 0) {
      const bool kept = point.step < kept_first_ || point.step == point.steps - 1 || point.expert != expert_;
      expert_ = point.expert;
      error_ += kept ? 0 : rate_ * measured[kInputStep] / output_norm_;
      compute_ = kept || !(error_ < threshold_);  // NaN computes
      if (compute_) error_ = 0;
    }
    return compute_ ? CacheDecision::computed() : CacheDecision::combined({1.0, 1.0});
  }
  void observe(const fv_cache_point& point, std::span<const double> measured) override {
    if (point.branches[0] != 0) return;
    rate_ = measured[kOutputSinceComputed] / measured[kInputSinceComputed];  // NaN at the first step
    output_norm_ = measured[kOutput];
  }

 private:
  CachePlan plan_;
  double threshold_;
  int32_t kept_first_;
  int32_t expert_ = 0;
  double rate_ = kUnknown;         // change of the output for a change of the input, last two computed steps
  double output_norm_ = kUnknown;  // of the last computed step
  double error_ = 0;               // estimated relative change of the output since then
  bool compute_ = true;
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
