#include "host/cli/plugin_check.hpp"

#include <unistd.h>

#include <cstdio>

#include "host/conformance/check_item.hpp"
#include "host/conformance/check_plugin.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"

namespace fastvideo {

void check_plugin(const CommandLine& line, const std::vector<std::string>& arguments, const Settings& settings) {
  if (line.plugin.empty())
    throw RequestError("plugins check: the folder is empty; give the one that holds plugin.toml");
  const std::filesystem::path folder = std::filesystem::absolute(line.plugin).lexically_normal();
  if (line.item >= 0) {
    const HostServices& host = HostServices::of_process(settings);
    return conformance::check_item(folder, static_cast<size_t>(line.item), settings, host, STDOUT_FILENO);
  }
  const auto deadline = std::chrono::milliseconds(static_cast<int64_t>(1000 * line.deadline));
  const conformance::PluginVerdict verdict = conformance::check_plugin(folder, {"/proc/self/exe", arguments, deadline});
  if (std::fputs(printable_lines(verdict.text).c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    throw std::runtime_error("standard output cannot be written");
  if (verdict.failed > 0)
    throw RequestError(line.plugin + " fails " + std::to_string(verdict.failed) + " of " +
                       std::to_string(verdict.checks) + " checks; sdk/conformance/README.md says what each wants");
  std::printf("%s passes all %zu checks\n", printable(line.plugin).c_str(), verdict.checks);
}

}  // namespace fastvideo
