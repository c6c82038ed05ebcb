#include "plugins/cache/magcache/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string_view>

namespace fastvideo::magcache {
namespace {

constexpr const char* kResidual = "blocks.residual";
constexpr double kUnseen = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kPerLine = 10;

// Computes every pass and records the norms.
class Observer final : public CacheSession {
 public:
  Observer(int32_t blocks, Measurements& measurements, size_t run) : measurements_(measurements), run_(run) {
    plan_.cut = {FV_CUT_BLOCKS, 0, blocks, 0};
    plan_.measures = {{kResidual, FV_NORM_L2, FV_MINUS_NOTHING}};
  }
  const CachePlan& plan() const override { return plan_; }
  CacheDecision decide(const fv_cache_point&, std::span<const double>) override { return CacheDecision::computed(); }
  void observe(const fv_cache_point& point, std::span<const double> norms) override {
    for (int32_t row = 0; row < point.batch; ++row)
      measurements_.runs[run_].at(static_cast<size_t>(point.branches[row])).at(static_cast<size_t>(point.step)) =
          norms[static_cast<size_t>(row)];
  }

 private:
  CachePlan plan_;
  Measurements& measurements_;
  size_t run_;
};

class Observed final : public CacheStrategy {
 public:
  explicit Observed(Measurements& measurements) : measurements_(measurements) {}

  std::string refuses(const fv_cache_session_info& info) const override {
    if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
    const auto is_residual = [](const char* name) { return std::string_view(name) == kResidual; };
    if (std::none_of(info.signals, info.signals + info.signal_count, is_residual))
      return std::string("this pipeline does not measure ").append(kResidual);
    if (info.experts > 1)
      return "its ratios are of models with one expert; this one has " + std::to_string(info.experts);
    if (info.steps < 2)
      return "a ratio takes two steps, and this run has " + std::to_string(info.steps) +
             ": calibrate with the number of steps that videos are made with";
    if (*info.model == '\0') return "the pipeline has no name for this model, so a row could not be found again";
    const Measurements& m = measurements_;
    if (!m.runs.empty() &&
        (m.model != info.model || m.preset != info.preset || m.steps != info.steps || m.branches != info.branches))
      return "one calibration is of one model and preset, one number of steps, with guidance or without";
    return {};
  }

  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override {
    measurements_.model = info.model;
    measurements_.preset = info.preset;
    measurements_.steps = info.steps;
    measurements_.branches = info.branches;
    measurements_.runs.emplace_back(static_cast<size_t>(info.branches),
                                    std::vector<double>(static_cast<size_t>(info.steps), kUnseen));
    return std::make_unique<Observer>(info.blocks, measurements_, measurements_.runs.size() - 1);
  }

 private:
  Measurements& measurements_;
};

}  // namespace

std::vector<std::vector<double>> magnitude_ratios(const Measurements& measurements) {
  const auto steps = static_cast<size_t>(measurements.steps), branches = static_cast<size_t>(measurements.branches);
  std::vector<std::vector<double>> ratios(branches, std::vector<double>(steps, 0));
  for (size_t branch = 0; branch < branches; ++branch) {
    ratios[branch][0] = 1;
    for (const ResidualNorms& run : measurements.runs) {
      for (size_t step = 0; step < steps; ++step) {
        const double norm = run[branch][step];
        if (!(norm > 0 && std::isfinite(norm)))
          throw Refused("the norm of the blocks' residual at step " + std::to_string(step) + " of branch " +
                        std::to_string(branch) + " is " + std::to_string(norm) +
                        ": ratios take positive numbers; was the run complete?");
        if (step > 0)
          ratios[branch][step] += norm / run[branch][step - 1] / static_cast<double>(measurements.runs.size());
      }
    }
  }
  return ratios;
}

MagCacheCalibration::MagCacheCalibration() : observer_(std::make_unique<Observed>(measurements_)) {}

std::string MagCacheCalibration::finish() {
  const Measurements& m = measurements_;
  if (m.runs.empty()) throw Refused("nothing was measured: the runs used no caching strategy");
  const std::vector<std::vector<double>> ratios = magnitude_ratios(m);
  std::string text = "# Row of MagCache's ratios: " + std::to_string(m.runs.size()) +
                     (m.runs.size() == 1 ? " run" : " runs") + " of " + std::to_string(m.steps) +
                     " steps, the branches in turn\n[[model]]\nmodel = \"" + m.model + "\"\n";
  if (!m.preset.empty())
    text += "# preset = \"" + m.preset + "\"  # measured with it; put in force, it keeps the row to that preset\n";
  text += "branches = " + std::to_string(m.branches) + "\nratios = [";
  size_t written = 0;
  for (size_t step = 0; step < ratios.front().size(); ++step) {
    for (const std::vector<double>& branch : ratios) {
      char number[32];
      std::snprintf(number, sizeof number, "%.6f", branch[step]);
      text += (written++ % kPerLine == 0 ? "\n  " : " ") + std::string(number) + ",";
    }
  }
  return text + "\n]\n";
}

}  // namespace fastvideo::magcache
