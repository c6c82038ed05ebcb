// fastvideo-calibrate: the program that `fastvideo calibrate` executes.
#include "host/cli/cancellable_run.hpp"
#include "host/cli/plugin_list.hpp"
#include "host/cli/program.hpp"
#include "host/cli/standard_output.hpp"
#include "tools/calibrate/calibrate.hpp"

namespace fastvideo::host {
namespace {

void run_calibrate_tool(const ToolCall& call) {
  warn_of(call.catalog);
  const HostServices& host = process_services(call.settings);
  CancellableRun run;
  const auto style = call.line.no_progress ? ProgressStyle::none : ProgressStyle::automatic;
  print(calibrate(call.line.calibrate, call.resolve, call.catalog, host, style, run.cancel));
}

}  // namespace
}  // namespace fastvideo::host

int main(int argc, char** argv) {
  return fastvideo::host::program_main(argc, argv, fastvideo::host::run_calibrate_tool);
}
