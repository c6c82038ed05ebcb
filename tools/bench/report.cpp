#include "tools/bench/report.hpp"

#include <cmath>
#include <cstdio>

#include "host/console/text_table.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

using Row = std::vector<std::string>;

std::string seconds_text(const Spread& seconds) {
  return readable_seconds(seconds.median) + " (" + fixed(seconds.least, 3) + " to " + fixed(seconds.most, 3) + ")";
}

std::string passes_text(const SettingFigures& figures) {
  if (figures.passes == 0) return "-";
  const bool is_whole = figures.passes_computed == std::floor(figures.passes_computed);
  return fixed(figures.passes_computed, is_whole ? 0 : 1) + " of " + std::to_string(figures.passes);
}

std::string quality_text(const BenchResult& result, size_t i, const std::optional<std::string>& figure) {
  if (i == result.plan.reference) return "exact run";
  return figure.value_or("-");
}

Row overview_row(const BenchResult& result, size_t i) {
  const BenchOutcome& outcome = result.outcomes[i];
  if (!outcome.failure.empty()) return {outcome.name, "failed: " + outcome.failure};
  const SettingFigures figures = figures_of(result, outcome);
  const StageFigure& main = figures.main_stage();
  Row row{outcome.name, seconds_text(main.seconds), main.speed_up ? speed_up_text(*main.speed_up) : "-"};
  const StageFigure& all = figures.stages.back();
  row.insert(
      row.end(),
      {readable_seconds(all.seconds.median), all.speed_up ? speed_up_text(*all.speed_up) : "-", passes_text(figures),
       quality_text(result, i, figures.psnr ? std::optional(psnr_text(*figures.psnr)) : std::nullopt),
       figures.ssim ? fixed(*figures.ssim, 4) : "-", figures.peak_memory ? readable_bytes(*figures.peak_memory) : "-"});
  return row;
}

// Rows of text_table want one width: a failure is the last cell of its row.
std::string overview(const BenchResult& result) {
  std::string main = kInAll;
  for (const BenchOutcome& outcome : result.outcomes)
    if (!outcome.runs.empty()) main = figures_of(result, outcome).main_stage().name;
  std::vector<Row> rows{
      {"setting", main, "speed-up", kInAll, "speed-up", "passes computed", "PSNR", "SSIM", "peak memory"}};
  for (size_t i = 0; i < result.outcomes.size(); ++i) rows.push_back(overview_row(result, i));
  std::string failures;
  std::vector<Row> whole;
  for (Row& row : rows) {
    if (row.size() > 2)
      whole.push_back(std::move(row));
    else
      failures += "  " + row[0] + ": " + row[1] + "\n";
  }
  return (whole.size() > 1 ? text_table(whole) : "") + failures;
}

std::string stages(const BenchResult& result) {
  std::vector<Row> rows;
  for (const BenchOutcome& outcome : result.outcomes) {
    if (outcome.runs.empty()) continue;
    const SettingFigures figures = figures_of(result, outcome);
    if (rows.empty()) {
      rows.push_back({"seconds"});
      for (const StageFigure& stage : figures.stages) rows.front().push_back(stage.name);
    }
    Row row{outcome.name};
    for (size_t s = 1; s < rows.front().size(); ++s) {
      const StageFigure* stage = figures.stage(rows.front()[s]);
      row.push_back(stage != nullptr ? fixed(stage->seconds.median, 3) : "-");
    }
    rows.push_back(std::move(row));
  }
  return rows.empty() ? "" : "\n" + text_table(rows);
}

std::string conditions(const BenchResult& result) {
  const size_t clips = result.plan.prompts.size() * result.plan.seeds.size();
  std::string text = result.model + " on " + result.device + "; ";
  for (const auto& [name, value] : result.parameters) text += name + " " + value.to_toml() + ", ";
  return text + std::to_string(clips) + (clips == 1 ? " clip, " : " clips (prompts x seeds), ") +
         std::to_string(result.plan.rounds) + (result.plan.rounds == 1 ? " round" : " rounds") + "\n\n";
}

}  // namespace

std::string fixed(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string speed_up_text(double speed_up) { return fixed(speed_up, 2) + "x"; }

std::string psnr_text(double psnr) { return std::isinf(psnr) ? "identical" : fixed(psnr, 1) + " dB"; }

std::string peak_memory_text(bool is_cuda) {
  return is_cuda ? "highest number of bytes in use on the device during a run, of all processes (NVML, every 20 ms)"
                 : "highest resident size of the process during a run (VmHWM, set back before it)";
}

std::string bench_text(const BenchResult& result) {
  std::string notes =
      "\nSeconds are medians, with the least and the most. Speed-up: the exact run's median over this one's. "
      "PSNR and SSIM against the exact run's frames, 8 bits.\nPeak memory: " +
      peak_memory_text(result.is_cuda) + ".\n";
  if (!result.has_reference())
    notes += "The exact run ('" + result.reference().name + "') failed: nothing is compared with it.\n";
  return conditions(result) + overview(result) + stages(result) + notes;
}

}  // namespace fastvideo::host
