#include "host/process/signal_guard.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "host/process/leftovers.hpp"

namespace fastvideo::host {
namespace {

constexpr std::array<int, 4> kCancelSignals = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
// Their default is to end the process. (SIGBUS has its handler from the start of the program, see process_start.)
constexpr std::array<int, 15> kDeadlySignals = {SIGQUIT, SIGILL,    SIGTRAP, SIGABRT, SIGFPE,
                                                SIGSEGV, SIGUSR1,   SIGUSR2, SIGALRM, SIGPROF,
                                                SIGIO,   SIGSTKFLT, SIGPWR,  SIGSYS,  SIGVTALRM};

constexpr char kEndedAtOnce[] = "\nended at once; what was being written is removed\n";

// What the handler reads. All lock-free atomics: nothing else may be shared with a handler.
std::atomic<CancelToken*> active_token{nullptr};
std::atomic<const char*> active_notice{nullptr};
std::atomic<int> first_signal{0};
std::array<struct sigaction, kCancelSignals.size()> former_actions;
std::array<struct sigaction, kDeadlySignals.size()> former_deadly;

void say(const char* text) { [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text)); }

// The default action takes the process down as soon as the handler returns.
void on_deadly_signal(int signal) {
  remove_leftovers();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void on_cancel_signal(int signal) {
  const int saved_errno = errno;
  CancelToken* token = active_token.load();
  if (token == nullptr || token->requested()) {
    on_deadly_signal(signal);
    if (active_notice.load() != nullptr) say(kEndedAtOnce);
  } else {
    first_signal.store(signal);
    token->request();
    if (const char* notice = active_notice.load(); notice != nullptr) say(notice);
  }
  errno = saved_errno;
}

// A handler that somebody else has put there in the meantime stays.
template <size_t N>
void restore(const std::array<int, N>& signals, const std::array<struct sigaction, N>& actions, void (*ours)(int)) {
  for (size_t i = 0; i < N; ++i) {
    struct sigaction now = {};
    sigaction(signals[i], nullptr, &now);
    if (now.sa_handler == ours) sigaction(signals[i], &actions[i], nullptr);
  }
}

}  // namespace

SignalGuard::SignalGuard(CancelToken& token, const char* notice) {
  CancelToken* none = nullptr;
  if (!active_token.compare_exchange_strong(none, &token)) {
    throw std::logic_error("a SignalGuard is already installed: a process has one");
  }
  active_notice.store(notice);
  first_signal.store(0);
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // libraries that know nothing of us must not see EINTR
  action.sa_handler = on_cancel_signal;
  for (size_t i = 0; i < kCancelSignals.size(); ++i) {
    sigaction(kCancelSignals[i], nullptr, &former_actions[i]);
    if (former_actions[i].sa_handler != SIG_IGN) sigaction(kCancelSignals[i], &action, nullptr);
  }
  action.sa_handler = on_deadly_signal;
  for (size_t i = 0; i < kDeadlySignals.size(); ++i) {
    sigaction(kDeadlySignals[i], nullptr, &former_deadly[i]);
    if (former_deadly[i].sa_handler == SIG_DFL) sigaction(kDeadlySignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  restore(kCancelSignals, former_actions, on_cancel_signal);
  restore(kDeadlySignals, former_deadly, on_deadly_signal);
  active_notice.store(nullptr);
  active_token.store(nullptr);
}

void remove_leftovers_at_signals() noexcept {
  const auto handle = [](int signal) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_DFL) return;
    action = {};
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = on_deadly_signal;
    sigaction(signal, &action, nullptr);
  };
  for (const int signal : kCancelSignals) handle(signal);
  for (const int signal : kDeadlySignals) handle(signal);
}

int cancelling_signal() noexcept { return first_signal.load(); }

void end_by_signal(int signal) noexcept {
  std::signal(signal, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  ::kill(::getpid(), signal);
  ::_exit(128 + signal);
}

}  // namespace fastvideo::host
