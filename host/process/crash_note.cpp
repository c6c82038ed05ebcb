#include "host/process/crash_note.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "host/calls/call_note.hpp"
#include "host/process/handler_text.hpp"
#include "host/process/leftovers.hpp"

namespace fastvideo {
namespace {

struct NamedSignal {
  int number;
  const char* name;
};
constexpr NamedSignal kCrashes[] = {{SIGSEGV, "SIGSEGV"}, {SIGFPE, "SIGFPE"}, {SIGABRT, "SIGABRT"}, {SIGILL, "SIGILL"}};

std::atomic<bool> is_result_known{false};
pid_t program_id = 0;                // a process that a plugin has forked from it ends as it likes
std::atomic<long> ending_thread{0};  // the one whose words are written

// A recursion without end leaves no room on the thread's own stack.
alignas(16) char crash_stack[64 << 10];

// Whether this thread is the one to speak. Another one that crashes meanwhile waits for the end of the process, which
// would otherwise come before the words.
bool is_first_to_end() noexcept {
  const long self = ::syscall(SYS_gettid);
  long none = 0;
  if (ending_thread.compare_exchange_strong(none, self)) return true;
  if (none == self) return false;
  for (;;) ::pause();
}

void on_crash(int signal) {
  if (::getpid() == program_id && is_first_to_end()) {
    const char* name = "";
    for (const NamedSignal& one : kCrashes)
      if (one.number == signal) name = one.name;
    char what[40] = "crashed (";
    std::size_t at = 9;
    while (*name != '\0') what[at++] = *name++;
    what[at++] = ')';
    write_crash_note({what, at});
  }
  // Blocked until this handler returns; then it ends the process, with its own exit code and core file.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void end_without_result(std::string_view what) {
  if (::getpid() != program_id || is_result_known.load() || !is_first_to_end()) return;
  write_crash_note(what);
  ::_exit(1);
}

void on_exit_by_anyone(int status, void*) {
  char what[64];
  const int length = std::snprintf(what, sizeof what, "exit(%d) was called", status);
  end_without_result({what, static_cast<std::size_t>(length)});
}

}  // namespace

void write_crash_note(std::string_view what) noexcept {
  const int saved_errno = errno;
  char call[256];
  const std::size_t length = describe_call_in_progress(call, sizeof call);
  write_from_handler("\nfastvideo: ");
  write_from_handler(what);
  if (length > 0) {
    write_from_handler(" in ");
    write_from_handler({call, length});
  } else {
    write_from_handler(" while no plugin was being called");
  }
  write_from_handler("; files that were not complete are removed. ");
  write_from_handler(length > 0
                         ? "`fastvideo plugins check FOLDER` tries a plugin by itself; report this to its author\n"
                         : "Report this with what `fastvideo doctor` prints\n");
  remove_leftovers();
  errno = saved_errno;
}

void install_crash_notes() {
  program_id = ::getpid();
  ::on_exit(on_exit_by_anyone, nullptr);
  std::at_quick_exit([] { end_without_result("quick_exit() was called"); });
  const stack_t stack = {crash_stack, 0, sizeof crash_stack};
  sigaltstack(&stack, nullptr);
  for (const NamedSignal& one : kCrashes) {
    struct sigaction former = {};
    sigaction(one.number, nullptr, &former);
    if (former.sa_handler != SIG_DFL) continue;
    struct sigaction action = {};
    action.sa_handler = on_crash;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK;
    sigaction(one.number, &action, nullptr);
  }
}

void result_is_known() noexcept { is_result_known.store(true); }

}  // namespace fastvideo
