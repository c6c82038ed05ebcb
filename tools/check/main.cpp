// fastvideo-check: the program that `fastvideo plugins check` executes, and its child processes.
#include "host/cli/program.hpp"
#include "tools/check/plugin_check.hpp"

namespace fastvideo::host {
namespace {

void run_check_tool(const ToolCall& call) { check_plugin(call.line.check, call.arguments, call.settings); }

}  // namespace
}  // namespace fastvideo::host

int main(int argc, char** argv) { return fastvideo::host::program_main(argc, argv, fastvideo::host::run_check_tool); }
