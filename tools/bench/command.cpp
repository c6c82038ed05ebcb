#include "tools/bench/command.hpp"

#include <algorithm>

#include "host/cli/output_guard.hpp"
#include "host/media/video_writer.hpp"
#include "tools/bench/output_file.hpp"
#include "tools/bench/report.hpp"
#include "tools/bench/side_by_side.hpp"

namespace fastvideo::host {
namespace {

void check_outputs(const BenchFlags& flags, const Settings& base, const Catalog& catalog) {
  if (!flags.json.empty()) check_result_file("--json", flags.json, ".json");
  if (!flags.plot.empty()) check_result_file("--plot", flags.plot, ".svg");
  if (!flags.side_by_side.empty()) check_output(flags.side_by_side);
  OutputGuard guard(base, catalog);
  guard.reads("--matrix", flags.matrix);
  guard.reads("--prompt-file", flags.prompt_file);
  guard.writes("--json", flags.json);
  guard.writes("--plot", flags.plot);
  guard.writes("--side-by-side", flags.side_by_side);
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
  const Settings base = resolve({});
  BenchPlan plan = bench_plan(flags, base, catalog);
  check_outputs(flags, base, catalog);
  const BenchResult result = run_bench(std::move(plan), resolve, catalog, host, !flags.side_by_side.empty(), cancel);
  std::string failure = failures(result);
  // If a file cannot be written, the other files and the report still are.
  const auto write = [&](auto&& body) {
    try {
      body();
    } catch (const CancelledError&) {
      throw;
    } catch (const std::exception& e) {
      failure += (failure.empty() ? "" : "; ") + std::string(e.what());
    }
  };
  if (!flags.json.empty()) write([&] { write_result_file(flags.json, bench_json(result)); });
  if (!flags.plot.empty()) write([&] { write_result_file(flags.plot, bench_plot(result)); });
  const auto is_clip = [](const BenchOutcome& outcome) { return !outcome.clip.pixels.empty(); };
  if (!flags.side_by_side.empty() && std::any_of(result.outcomes.begin(), result.outcomes.end(), is_clip))
    write([&] { write_side_by_side(result, flags.side_by_side, cancel); });
  return {bench_text(result), std::move(failure)};
}

}  // namespace fastvideo::host
