#include "tools/bench/figures.hpp"

#include <algorithm>

namespace fastvideo::host {
namespace {

double seconds_of(const BenchRun& run, const std::string& stage) {
  if (stage == kInAll) return run.seconds;
  for (const StageTime& time : run.stages)
    if (time.name == stage) return time.seconds;
  return 0;
}

Spread spread_of_stage(const BenchOutcome& outcome, const std::string& stage) {
  std::vector<double> seconds;
  for (const BenchRun& run : outcome.runs) seconds.push_back(seconds_of(run, stage));
  return spread_of(std::move(seconds));
}

}  // namespace

const StageFigure* SettingFigures::stage(const std::string& name) const {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const StageFigure& s) { return s.name == name; });
  return found == stages.end() ? nullptr : &*found;
}

const StageFigure& SettingFigures::main_stage() const {
  const StageFigure* denoise = stage(kDenoise);
  return denoise != nullptr ? *denoise : stages.back();
}

SettingFigures figures_of(const BenchResult& result, const BenchOutcome& outcome) {
  SettingFigures figures;
  std::vector<std::string> names;
  for (const StageTime& stage : outcome.runs.front().stages) names.push_back(stage.name);
  names.emplace_back(kInAll);
  for (const std::string& name : names) {
    StageFigure stage{name, spread_of_stage(outcome, name), std::nullopt};
    const double exact = result.has_reference() ? spread_of_stage(result.reference(), name).median : 0;
    if (exact > 0 && stage.seconds.median > 0) stage.speed_up = exact / stage.seconds.median;
    figures.stages.push_back(std::move(stage));
  }
  for (const BenchRun& run : outcome.runs) {
    figures.passes_computed += static_cast<double>(run.passes_computed) / static_cast<double>(outcome.runs.size());
    figures.passes = std::max(figures.passes, run.passes);
    if (run.peak_memory) figures.peak_memory = std::max(figures.peak_memory.value_or(0), *run.peak_memory);
  }
  if (outcome.quality) {
    figures.psnr = psnr(outcome.quality->mean_squared_error);
    figures.ssim = outcome.quality->ssim;
  }
  return figures;
}

}  // namespace fastvideo::host
