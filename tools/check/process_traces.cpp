#include "tools/check/process_traces.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "host/error/printable.hpp"
#include "host/process/process_state.hpp"

namespace fastvideo::host::conformance {
namespace {

std::map<std::string, std::string, std::less<>> environment() {
  std::map<std::string, std::string, std::less<>> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

void add(std::string& list, const std::string& name) { list.append(list.empty() ? "" : ", ").append(name); }

// Names of variables that are others than before; puts them back.
std::string changed_environment(const std::map<std::string, std::string, std::less<>>& before) {
  std::string names;
  const auto now = environment();
  for (const auto& [name, value] : now) {
    const auto was = before.find(name);
    if (was != before.end() && was->second == value) continue;
    add(names, printable(name));
    was == before.end() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), was->second.c_str(), 1);
  }
  for (const auto& [name, value] : before) {
    if (now.contains(name)) continue;
    add(names, printable(name));
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  return names;
}

}  // namespace

ProcessTraces::ProcessTraces() : environment_(environment()) {
  restore_process_state();
  static_cast<void>(restored_process_state());  // changes by earlier checks
  for (int number = 1; number < static_cast<int>(handlers_.size()); ++number)
    ::sigaction(number, nullptr, &handlers_[static_cast<size_t>(number)]);
}

std::string ProcessTraces::put_back() const {
  restore_process_state();
  std::string text = restored_process_state();
  for (int number = 1; number < static_cast<int>(handlers_.size()); ++number) {
    const struct sigaction& before = handlers_[static_cast<size_t>(number)];
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0 || now.sa_sigaction == before.sa_sigaction) continue;
    ::sigaction(number, &before, nullptr);
    add(text, "the handler of signal " + std::to_string(number) + " (" + ::strsignal(number) + ")");
  }
  if (const std::string names = changed_environment(environment_); !names.empty())
    add(text, "the environment (" + names + ")");
  for (const auto& [timer, name] :
       {std::pair{ITIMER_REAL, "ITIMER_REAL"}, {ITIMER_VIRTUAL, "ITIMER_VIRTUAL"}, {ITIMER_PROF, "ITIMER_PROF"}}) {
    itimerval running{};
    const itimerval stopped{};
    if (::getitimer(timer, &running) != 0 || (running.it_value.tv_sec == 0 && running.it_value.tv_usec == 0)) continue;
    ::setitimer(timer, &stopped, nullptr);
    add(text, std::string("a running ") + name);
  }
  return text;
}

}  // namespace fastvideo::host::conformance
