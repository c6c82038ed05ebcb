// The figures of one setting's measurements, for the table, the JSON file and the plot.
#pragma once

#include "tools/bench/bench.hpp"
#include "tools/bench/statistics.hpp"

namespace fastvideo::host {

/// The name of the stage that stands for the whole run.
inline constexpr const char* kInAll = "in all";
/// The stage that caching and attention backends speed up.
inline constexpr const char* kDenoise = "denoise";

/// Seconds of one stage over all rounds, prompts and seeds.
struct StageFigure {
  std::string name;
  Spread seconds;
  std::optional<double> speed_up;  ///< the exact run's median over this setting's; nothing if the exact run failed
};

/// Figures of a setting that did not fail.
struct SettingFigures {
  std::vector<StageFigure> stages;  ///< in the order of the run, `in all` last
  double passes_computed = 0;       ///< mean of the runs
  uint64_t passes = 0;
  std::optional<uint64_t> peak_memory;  ///< the most of all runs
  std::optional<double> psnr;           ///< dB; infinite if no pixel differs; nothing for the exact run
  std::optional<double> ssim;

  /// The stage's figure, or nullptr.
  const StageFigure* stage(const std::string& name) const;
  /// The figure of denoising if the pipeline has that stage, else of the whole run.
  const StageFigure& main_stage() const;
};

/// `outcome` is one of `result`, with runs.
SettingFigures figures_of(const BenchResult& result, const BenchOutcome& outcome);

}  // namespace fastvideo::host
