// fastvideo-check: what `fastvideo plugins check` goes on as, and the child processes in which it checks.
#include "host/cli/plugin_check.hpp"
#include "host/cli/program.hpp"

namespace fastvideo {
namespace {

void run_check_tool(const ToolCall& call) { check_plugin(call.line, call.arguments, call.settings); }

}  // namespace
}  // namespace fastvideo

int main(int argc, char** argv) { return fastvideo::program_main(argc, argv, fastvideo::run_check_tool); }
