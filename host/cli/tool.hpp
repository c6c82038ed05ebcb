// Commands that measure and examine: programs of their own, so that whoever makes videos builds and ships none of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/cli/command_line.hpp"
#include "host/plugins/catalog.hpp"

namespace fastvideo::host {

/// The settings in force, with more of them given as if at the end of the command line.
using ResolveSettings = std::function<Settings(const std::vector<Given>& more)>;

/// A command of a tool, with the settings and plugins that hold for it. Everything is borrowed for the call.
struct ToolCall {
  const CommandLine& line;
  const std::vector<std::string>& arguments;  ///< those that `line` was read from
  const Settings& settings;
  const ResolveSettings& resolve;
  const Catalog& catalog;
};

/// Does what the call says, or throws as run_program's commands do. [the main thread]
using RunTool = void (*)(const ToolCall& call);

/// Goes on as the tool for the call's command, `fastvideo-bench`, `fastvideo-calibrate` or `fastvideo-check` in the
/// installation's libexec/fastvideo, with the same arguments. Returns never. Throws RequestError if it is not there.
[[noreturn]] void start_tool(const ToolCall& call);

}  // namespace fastvideo::host
