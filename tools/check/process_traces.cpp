#include "tools/check/process_traces.hpp"

#include <cstring>

#include "host/process/process_state.hpp"

namespace fastvideo::host::conformance {

ProcessTraces::ProcessTraces() {
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
    text.append(text.empty() ? "the handler of signal " : ", the handler of signal ")
        .append(std::to_string(number))
        .append(" (")
        .append(::strsignal(number))
        .append(")");
  }
  return text;
}

}  // namespace fastvideo::host::conformance
