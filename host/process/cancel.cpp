#include "host/process/cancel.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace fastvideo {
namespace {

constexpr std::array<int, 2> kSignals = {SIGINT, SIGTERM};

// What the handler reads. All lock-free atomics: nothing else may be shared with a handler.
std::atomic<CancelToken*> active_token{nullptr};
std::atomic<const char*> active_notice{nullptr};
std::array<struct sigaction, kSignals.size()> former_actions;

void on_signal(int signal) {
  const int saved_errno = errno;
  CancelToken* token = active_token.load();
  if (token == nullptr || token->requested()) {
    // The second one: the default action takes the process down as soon as this handler returns.
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  } else {
    token->request();
    if (const char* notice = active_notice.load(); notice != nullptr) {
      [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, notice, std::strlen(notice));
    }
  }
  errno = saved_errno;
}

}  // namespace

SignalGuard::SignalGuard(CancelToken& token, const char* notice) {
  CancelToken* none = nullptr;
  if (!active_token.compare_exchange_strong(none, &token)) {
    throw std::logic_error("a SignalGuard is already installed: a process has one");
  }
  active_notice.store(notice);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &former_actions[i]);
    if (former_actions[i].sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;  // libraries that know nothing of us must not see EINTR
    sigaction(kSignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &former_actions[i], nullptr);
  active_notice.store(nullptr);
  active_token.store(nullptr);
}

}  // namespace fastvideo
