// `fastvideo plugins check`, and its child processes.
#pragma once

#include <string>
#include <vector>

#include "host/cli/tool_flags.hpp"
#include "host/config/settings.hpp"

namespace fastvideo::host {

/// Checks the plugin that the flags name and prints every check. `arguments` are the program's, passed on to its child
/// processes. Throws RequestError if a check failed.
void check_plugin(const CheckFlags& flags, const std::vector<std::string>& arguments, const Settings& settings);

}  // namespace fastvideo::host
