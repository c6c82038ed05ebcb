#include "plugins/cache/first_block/policy.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace fastvideo::first_block {
namespace {

constexpr char kSignal[] = "block.0.residual";
enum Measure : size_t { kChange, kNorm, kMeasures };  // since the last computed step; now

class Session final : public CacheSession {
 public:
  Session(const fv_cache_session_info& info, double threshold) : threshold_(threshold) {
    plan_.cut = {FV_CUT_BLOCKS, 1, info.blocks, 0};
    plan_.measures = {{kSignal, FV_NORM_L1, FV_MINUS_LAST_COMPUTED}, {kSignal, FV_NORM_L1, FV_MINUS_NOTHING}};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  }
  const CachePlan& plan() const override { return plan_; }

  CacheDecision decide(const fv_cache_point& point, std::span<const double> measured) override {
    for (int32_t row = 0; row < point.batch; ++row) {
      const Computed& last = computed_[{point.branches[row], row}];
      const double change = measured[static_cast<size_t>(row) * kMeasures + kChange] / last.norm;
      // Written so that NaN, at a branch's first step, computes.
      if (last.expert != point.expert || !(change <= threshold_)) return CacheDecision::computed();
    }
    return CacheDecision::combined({1.0, 1.0});
  }
  void observe(const fv_cache_point& point, std::span<const double> measured) override {
    for (int32_t row = 0; row < point.batch; ++row)
      computed_[{point.branches[row], row}] = {measured[static_cast<size_t>(row) * kMeasures + kNorm], point.expert};
  }

 private:
  struct Computed {
    double norm = std::numeric_limits<double>::quiet_NaN();
    int32_t expert = 0;
  };
  CachePlan plan_;
  double threshold_;
  std::map<std::pair<int32_t, int32_t>, Computed> computed_;  // by branch and row of its pass
};

}  // namespace

FirstBlockCache::FirstBlockCache(const Options& options) : threshold_(options.number("threshold")) {
  if (!(threshold_ >= 0 && std::isfinite(threshold_)))
    throw Refused("threshold " + std::to_string(threshold_) + " is not a number from 0 on");
}

std::string FirstBlockCache::refuses(const fv_cache_session_info& info) const {
  if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
  if (info.blocks < 2) return "the model has one block: after the first there is none to leave out";
  for (uint32_t i = 0; i < info.signal_count; ++i)
    if (std::string(info.signals[i]) == kSignal) return {};
  return std::string("this pipeline does not measure ").append(kSignal);
}

std::unique_ptr<CacheSession> FirstBlockCache::open(const fv_cache_session_info& info) {
  return std::make_unique<Session>(info, threshold_);
}

}  // namespace fastvideo::first_block
