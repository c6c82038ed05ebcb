// fastvideo-bench: the program that `fastvideo bench` executes.
#include "host/cli/cancellable_run.hpp"
#include "host/cli/plugin_list.hpp"
#include "host/cli/program.hpp"
#include "host/cli/standard_output.hpp"
#include "tools/bench/attention_bench.hpp"
#include "tools/bench/command.hpp"

namespace fastvideo::host {
namespace {

void run_bench_tool(const ToolCall& call) {
  warn_of(call.catalog);
  const HostServices& host = process_services(call.settings);
  CancellableRun run;
  const BenchReport report =
      call.line.command == CommandLine::Command::bench
          ? bench(call.line.bench, call.resolve, call.catalog, host, run.cancel)
          : bench_attention(call.line.bench_attention, call.resolve, call.catalog, host, run.cancel);
  print(report.text);
  if (!report.failure.empty()) throw std::runtime_error(report.failure);
}

}  // namespace
}  // namespace fastvideo::host

int main(int argc, char** argv) { return fastvideo::host::program_main(argc, argv, fastvideo::host::run_bench_tool); }
