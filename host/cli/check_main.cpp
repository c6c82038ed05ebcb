// fastvideo-check: what `fastvideo plugins check` goes on as, and the child processes in which it checks.
#include "host/cli/plugin_check.hpp"
#include "host/cli/program.hpp"
#include "host/process/idle_threads.hpp"
#include "host/process/process_start.hpp"

namespace fastvideo {
namespace {

void run_check_tool(const ToolCall& call) { check_plugin(call.line, call.arguments, call.settings); }

}  // namespace
}  // namespace fastvideo

int main(int argc, char** argv) {
  fastvideo::prepare_process();
  fastvideo::let_idle_threads_sleep();
  return fastvideo::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, fastvideo::run_check_tool);
}
