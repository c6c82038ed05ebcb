#include "host/bench/command.hpp"

#include <algorithm>

#include "host/bench/output_file.hpp"
#include "host/bench/report.hpp"
#include "host/bench/side_by_side.hpp"

namespace fastvideo {
namespace {

void check_outputs(const BenchFlags& flags) {
  if (!flags.json.empty()) check_result_file(flags.json, ".json");
  if (!flags.plot.empty()) check_result_file(flags.plot, ".svg");
  if (!flags.side_by_side.empty()) check_output(flags.side_by_side);
}

std::string failures(const BenchResult& result) {
  std::string names;
  for (const BenchOutcome& outcome : result.outcomes)
    if (!outcome.failure.empty()) names += (names.empty() ? "" : ", ") + ("'" + outcome.name + "'");
  return names.empty() ? "" : "settings that failed: " + names;
}

}  // namespace

BenchReport bench(const BenchFlags& flags, const ResolveSettings& resolve, const Catalog& catalog,
                  const HostServices& host, const CancelToken& cancel) {
  BenchPlan plan = bench_plan(flags, resolve({}), catalog);
  check_outputs(flags);
  const BenchResult result = run_bench(std::move(plan), resolve, catalog, host, !flags.side_by_side.empty(), cancel);
  if (!flags.json.empty()) write_result_file(flags.json, bench_json(result));
  if (!flags.plot.empty()) write_result_file(flags.plot, bench_plot(result));
  std::string failure = failures(result);
  const auto is_clip = [](const BenchOutcome& outcome) { return !outcome.clip.pixels.empty(); };
  if (!flags.side_by_side.empty() && std::any_of(result.outcomes.begin(), result.outcomes.end(), is_clip))
    write_side_by_side(result, flags.side_by_side, cancel);
  return {bench_text(result), std::move(failure)};
}

}  // namespace fastvideo
