#include "plugins/cache/teacache/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fastvideo::teacache {
namespace {

constexpr const char* kOutput = "model.out";
constexpr int32_t kBranch = 0;  // the conditional branch, of which the published polynomials are

bool lists(const fv_cache_session_info& info, const std::string& signal) {
  return std::any_of(info.signals, info.signals + info.signal_count, [&](const char* name) { return signal == name; });
}

// The embeddings of time where the pipeline measures them; elsewhere the modulated input of the first block.
std::vector<Indicator> indicators_of(const fv_cache_session_info& info) {
  std::vector<Indicator> found;
  for (const Indicator& one : {Indicator{"time.proj", true}, Indicator{"time.embed", false}})
    if (lists(info, one.signal)) found.push_back(one);
  if (found.empty() && lists(info, "block.0.modulated")) found.push_back({"block.0.modulated", false});
  return found;
}

// Computes every pass and turns the measures into points.
class Observer final : public CacheSession {
 public:
  Observer(const fv_cache_session_info& info, Measurements& measurements) : measurements_(measurements) {
    plan_.cut = {FV_CUT_BLOCKS, 0, info.blocks, 0};
    const auto add = [&](const char* signal) {
      plan_.measures.push_back({signal, FV_NORM_L1, FV_MINUS_NOTHING});
      plan_.measures.push_back({signal, FV_NORM_L1, FV_MINUS_PREVIOUS});
    };
    for (const Sample& sample : measurements.samples)
      if (sample.expert == 0) add(sample.indicator.signal.c_str());
    add(kOutput);
    norms_before_.resize(plan_.measures.size() / 2);
    experts_ = static_cast<size_t>(info.experts);
  }

  const CachePlan& plan() const override { return plan_; }
  CacheDecision decide(const fv_cache_point&, std::span<const double>) override { return CacheDecision::computed(); }

  void observe(const fv_cache_point& point, std::span<const double> measured) override {
    for (int32_t row = 0; row < point.batch; ++row)
      if (point.branches[row] == kBranch)
        observe(point.expert, measured.subspan(static_cast<size_t>(row) * plan_.measures.size()));
  }

 private:
  void observe(int32_t expert, std::span<const double> measured) {
    const size_t signals = norms_before_.size();  // the output is the last signal signal
    const auto relative_change = [&](size_t i) { return measured[2 * i + 1] / norms_before_[i]; };
    for (size_t i = 0; i + 1 < signals && expert == expert_before_; ++i)
      measurements_.samples[i * experts_ + static_cast<size_t>(expert)].points.push_back(
          {relative_change(i), relative_change(signals - 1)});
    for (size_t i = 0; i < signals; ++i) norms_before_[i] = measured[2 * i];
    expert_before_ = expert;
  }

  Measurements& measurements_;
  CachePlan plan_;
  size_t experts_ = 1;
  std::vector<double> norms_before_;  // of each signal at the step before
  int32_t expert_before_ = -1;        // an expert's first step has none before it
};

class Observed final : public CacheStrategy {
 public:
  explicit Observed(Measurements& measurements) : measurements_(measurements) {}

  std::string refuses(const fv_cache_session_info& info) const override {
    if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
    if (indicators_of(info).empty() || !lists(info, kOutput))
      return "this pipeline does not measure what TeaCache is fitted to: time.proj, time.embed or block.0.modulated, "
             "and model.out";
    if (*info.model == '\0') return "the pipeline has no name for this model, so a row could not be found again";
    if (measurements_.runs > 0 && (measurements_.model != info.model || measurements_.preset != info.preset))
      return "one calibration is of one model and preset, and this is another";
    return {};
  }

  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override {
    if (measurements_.runs++ == 0) {
      measurements_.model = info.model;
      measurements_.preset = info.preset;
      for (const Indicator& indicator : indicators_of(info))
        for (int32_t expert = 0; expert < info.experts; ++expert)
          measurements_.samples.push_back({indicator, expert, {}});
    }
    measurements_.steps = info.steps;
    return std::make_unique<Observer>(info, measurements_);
  }

 private:
  Measurements& measurements_;
};

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string row(const Measurements& all, const Sample& sample) {
  const std::string& signal = sample.indicator.signal;
  for (const Point& point : sample.points)
    if (!std::isfinite(point.x) || !std::isfinite(point.y))
      throw Refused("the relative change of " + signal + " or of the output is not a finite number at some step (" +
                    number("%g", point.x) + ", " + number("%g", point.y) + "): the model gives zeros or NaN");
  const std::string which = sample.expert > 0 ? " of expert " + std::to_string(sample.expert) : "";
  const size_t distinct = distinct_points(sample.points);
  if (distinct < 5)
    throw Refused(std::to_string(all.steps) + " steps give " + std::to_string(distinct) + " distinct changes of " +
                  signal + which +
                  ", and a polynomial of degree 4 takes 5: calibrate with 6 steps or more for each expert; the number "
                  "that videos are made with is best");
  const std::array<double, 5> polynomial = fit_polynomial(sample.points);
  std::string list;
  for (const double coefficient : polynomial) list += (list.empty() ? "" : ", ") + number("%.12g", coefficient);
  std::string text = "\n# " + std::to_string(sample.points.size()) + " points of " + std::to_string(all.runs) +
                     (all.runs == 1 ? " run" : " runs") + " of " + std::to_string(all.steps) +
                     " steps; the polynomial explains " +
                     number("%.1f %%", 100 * explained_share(sample.points, polynomial)) + " of their variance\n";
  text += "[[model]]\nmodel = \"" + all.model + "\"\n";
  if (!all.preset.empty())
    text += "# preset = \"" + all.preset + "\"  # measured with it; put in force, it keeps the row to that preset\n";
  if (sample.expert > 0) text += "expert = " + std::to_string(sample.expert) + "\n";
  text += std::string("use_ret_steps = ") + (sample.indicator.use_ret_steps ? "true" : "false") + "\nsignal = \"" +
          signal + "\"\ncoefficients = [" + list + "]\n";
  return text;
}

}  // namespace

std::string data_rows(const Measurements& measurements) {
  if (measurements.runs == 0) throw Refused("nothing was measured: the runs used no caching strategy");
  std::string text =
      "# Rows of TeaCache's coefficients, highest power first. A default `threshold` may be added to a row.\n";
  for (const Sample& sample : measurements.samples) text += row(measurements, sample);
  return text;
}

TeaCacheCalibration::TeaCacheCalibration() : observer_(std::make_unique<Observed>(measurements_)) {}

}  // namespace fastvideo::teacache
