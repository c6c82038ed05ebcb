// The program: from arguments to an exit code.
#pragma once

#include <string>
#include <vector>

#include "host/cli/tool.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Does what the arguments (without the program's name) ask for: results go to standard output, messages to standard
/// error. Returns the exit code: 0 done, 1 failed while running, 2 asked for something impossible, 128 + the
/// number of the signal that cancelled it (130: Ctrl-C). Never throws. `run_tool` is what becomes of the commands of
/// tools. Call it once a process.
int run_program(const std::vector<std::string>& arguments, RunTool run_tool) noexcept;

/// The whole of main: the same, and what a program puts right before and says when a plugin ends it (crash_note.hpp).
/// Ends the process itself where no sanitizer is: without exit handlers, which plugins may have set.
int program_main(int argc, char** argv, RunTool run_tool) noexcept;

/// The host's services of the program's process: made at the first call, with the settings and their `run.threads`, and
/// never destroyed. Throws RequestError if so many threads cannot be started.
const HostServices& process_services(const Settings& settings);

}  // namespace fastvideo::host
