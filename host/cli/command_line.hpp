// The commands and flags of `fastvideo`, made of the settings that the host and the plugins found declare.
#pragma once

#include <string>
#include <vector>

#include "host/cli/tool_flags.hpp"
#include "host/config/schema.hpp"
#include "host/config/settings.hpp"

namespace fastvideo::host {

/// What the user asked for.
struct CommandLine {
  enum class Command {
    help,
    version,
    print_default_config,
    print_config_reference,
    generate,
    explain,
    bench,
    bench_attention,
    calibrate,
    list_plugins,
    show_plugin,
    check_plugin,
    doctor
  };

  Command command = Command::help;
  std::string text;    ///< the help that the arguments ask for
  std::string plugin;  ///< show_plugin: which
  CheckFlags check;
  CalibrateFlags calibrate;
  std::vector<Given> given;  ///< settings, in the order in which they outrank each other
  bool no_progress = false;
  BenchFlags bench;
  AttentionBenchFlags bench_attention;
};

/// Parses the arguments (without the program's name). The flags are those of the schema. Throws RequestError: an
/// unknown flag or command, with the nearest one; a missing value; a word too many.
CommandLine parse_command_line(const std::vector<std::string>& arguments, const Schema& schema);

}  // namespace fastvideo::host
