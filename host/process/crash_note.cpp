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

namespace fastvideo::host {
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

// A text that is put together in a signal handler.
class HandlerLine {
 public:
  HandlerLine& operator<<(std::string_view text) noexcept {
    for (const char c : text)
      if (length_ < sizeof text_) text_[length_++] = c;
    return *this;
  }
  HandlerLine& operator<<(unsigned long number) noexcept {
    char digits[20];
    size_t count = 0;
    do digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0) *this << std::string_view(&digits[--count], 1);
    return *this;
  }
  std::string_view text() const noexcept { return {text_, length_}; }

 private:
  char text_[128];
  size_t length_ = 0;
};

void on_crash(int signal, siginfo_t* info, void*) {
  if (::getpid() == program_id && is_first_to_end()) {
    const char* name = "";
    for (const NamedSignal& one : kCrashes)
      if (one.number == signal) name = one.name;
    write_signal_note(name, *info);
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
  end_without_result({what, static_cast<size_t>(length)});
}

}  // namespace

void write_crash_note(std::string_view what) noexcept {
  const int saved_errno = errno;
  char call[256];
  const size_t length = describe_call_in_progress(call, sizeof call);
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

void write_signal_note(std::string_view name, const siginfo_t& info) noexcept {
  // What a fault raises comes from the kernel, and abort() from this process itself.
  const bool was_sent = info.si_code <= 0 && info.si_pid != ::getpid();
  if (!was_sent) {
    write_crash_note((HandlerLine() << "crashed (" << name << ")").text());
    return;
  }
  HandlerLine line;
  line << "\nfastvideo: ended by " << name << ", which ";
  if (info.si_pid > 0)
    line << "process " << static_cast<unsigned long>(info.si_pid) << " sent";
  else
    line << "another process sent";  // of another namespace
  write_from_handler((line << "; files that were not complete are removed\n").text());
  remove_leftovers();
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
    action.sa_sigaction = on_crash;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK | SA_SIGINFO;
    sigaction(one.number, &action, nullptr);
  }
}

void result_is_known() noexcept { is_result_known.store(true); }

}  // namespace fastvideo::host
