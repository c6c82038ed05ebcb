// What the measurements of one setting come to: the figures of the table, the JSON file and the plot.
#pragma once

#include "tools/bench/bench.hpp"
#include "tools/bench/statistics.hpp"

namespace fastvideo::host {

/// A stage's name that stands for the whole run.
inline constexpr const char* kInAll = "in all";
/// The stage that caching and attention backends are chosen for.
inline constexpr const char* kDenoise = "denoise";

/// Seconds of one stage over all rounds, prompts and seeds.
struct StageFigure {
  std::string name;
  Spread seconds;
  std::optional<double> speed_up;  ///< median of the exact run over this one's; nothing where the exact run failed
};

/// Figures of a setting that did not fail.
struct SettingFigures {
  std::vector<StageFigure> stages;  ///< in the order of the run, `in all` last
  double passes_computed = 0;       ///< mean of the runs
  std::uint64_t passes = 0;
  std::optional<std::uint64_t> peak_memory;  ///< the most of all runs
  std::optional<double> psnr;                ///< dB; infinite if nothing differs; nothing for the exact run
  std::optional<double> ssim;

  /// The stage's figure, or nullptr.
  const StageFigure* stage(const std::string& name) const;
  /// Of denoising if the pipeline has such a stage, else in all.
  const StageFigure& main_stage() const;
};

/// `outcome` is one of `result`, with runs.
SettingFigures figures_of(const BenchResult& result, const BenchOutcome& outcome);

}  // namespace fastvideo::host
