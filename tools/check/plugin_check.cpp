#include "tools/check/plugin_check.hpp"

#include <unistd.h>

#include <cstdio>

#include "host/cli/program.hpp"
#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"
#include "tools/check/check_item.hpp"
#include "tools/check/check_plugin.hpp"

namespace fastvideo::host {
namespace {

const std::string kWhereTheyStand =
    "what each wants stands in share/fastvideo/conformance/README.md of the installed SDK (sdk/conformance/README.md "
    "in the sources)";

}  // namespace

void check_plugin(const CheckFlags& flags, const std::vector<std::string>& arguments, const Settings& settings) {
  if (flags.folder.empty())
    throw RequestError("plugins check: the folder is empty; give the one that holds plugin.toml");
  const std::filesystem::path folder = absolute_path(flags.folder).lexically_normal();
  if (flags.item >= 0) {
    const HostServices& host = process_services(settings);
    const size_t failed = conformance::check_item(folder, static_cast<size_t>(flags.item), settings, host,
                                                  STDOUT_FILENO, !flags.for_program);
    if (failed > 0 && !flags.for_program)
      throw RequestError("item " + std::to_string(flags.item) + " of " + flags.folder + " fails " +
                         std::to_string(failed) + " checks; " + kWhereTheyStand);
    return;
  }
  const auto deadline = std::chrono::milliseconds(static_cast<int64_t>(1000 * flags.deadline));
  const conformance::PluginVerdict verdict = conformance::check_plugin(folder, {"/proc/self/exe", arguments, deadline});
  if (std::fputs(printable_lines(verdict.text).c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    throw std::runtime_error("standard output cannot be written");
  if (verdict.failed > 0)
    throw RequestError(flags.folder + " fails " + std::to_string(verdict.failed) + " of " +
                       std::to_string(verdict.checks) + " checks; " + kWhereTheyStand);
  std::printf("%s passes all %zu checks", printable(flags.folder).c_str(), verdict.checks);
  if (verdict.skipped > 0)
    std::printf("; %zu more could not be made here (skipped, the table says why)", verdict.skipped);
  std::printf("\n");
}

}  // namespace fastvideo::host
