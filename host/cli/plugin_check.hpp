// `fastvideo plugins check`, and its child processes.
#pragma once

#include <string>
#include <vector>

#include "host/cli/command_line.hpp"
#include "host/config/settings.hpp"

namespace fastvideo {

/// Checks the plugin that the command line names and prints every check. `arguments` are those of the program: its
/// child processes get them too. Throws RequestError if a check failed.
void check_plugin(const CommandLine& line, const std::vector<std::string>& arguments, const Settings& settings);

}  // namespace fastvideo
