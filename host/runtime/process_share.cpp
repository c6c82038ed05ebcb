#include "host/runtime/process_share.hpp"

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "host/error/error.hpp"
#include "host/log/log.hpp"

namespace fastvideo::host {
namespace {

constexpr std::array<const char*, 3> kShared = {"run.threads", "libraries.path", "log.level"};

struct Process {
  std::mutex mutex;
  std::map<std::string, Setting> shared;  // empty before the first runtime
  std::shared_ptr<Parallel> parallel;
  std::map<std::string, std::unique_ptr<HostServices>> services;  // by settings as text
};

// Never destroyed: plugins may run until the process ends.
Process& process() {
  static auto& one = *new Process;
  return one;
}

void begin(Process& process, const Settings& settings) {
  process.parallel = std::make_shared<Parallel>(required_threads(settings));
  set_log_level(parse_log_level(settings.string("log.level")));
  for (const char* path : kShared) process.shared[path] = settings.at(path);
}

void require_shared(const Process& process, const Settings& settings) {
  for (const auto& [path, first] : process.shared) {
    const Setting& asked = settings.at(path);
    if (asked.value == first.value) continue;
    throw RequestError(path + " = " + asked.value.to_toml() + ", asked for by " + asked.source.describe() +
                           ", and this process has had " + first.value.to_toml() + " (" + first.source.describe() +
                           ") since its first runtime: leave it out, or use another process",
                       path);
  }
}

std::string text_of(const Settings& settings) {
  std::string text;
  for (const auto& [path, setting] : settings.all()) text += path + " = " + setting.value.to_toml() + "\n";
  return text;
}

}  // namespace

std::vector<Given> shared_settings() {
  Process& ours = process();
  const std::lock_guard lock(ours.mutex);
  std::vector<Given> given;
  for (const auto& [path, setting] : ours.shared)
    if (setting.source.kind != Source::Kind::built_in) given.push_back({path, setting.value, setting.source});
  return given;
}

const HostServices& join_process(const Settings& settings) {
  Process& ours = process();
  const std::lock_guard lock(ours.mutex);
  if (ours.shared.empty())
    begin(ours, settings);
  else
    require_shared(ours, settings);
  std::unique_ptr<HostServices>& services = ours.services[text_of(settings)];
  if (services == nullptr) services = std::make_unique<HostServices>(settings, ours.parallel);
  return *services;
}

}  // namespace fastvideo::host
