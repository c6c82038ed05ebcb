#include "host/process/process_start.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "host/hardware/process_limits.hpp"
#include "host/process/crash_note.hpp"
#include "host/process/handler_text.hpp"
#include "host/process/leftovers.hpp"
#include "host/process/process_state.hpp"
#include "host/process/signal_guard.hpp"

namespace fastvideo::host {
namespace {

constexpr int kFailedExit = 1;

bool closed_pipes_ignored = false;

void open_standard_descriptors() noexcept {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is the one that is closed. Without a /dev, any other thing that takes writes will do.
    int got = ::open("/dev/null", O_RDWR);
    if (got < 0) got = memfd_create("null", 0);
    if (got >= 0 && got != wanted) {
      ::dup2(got, wanted);
      ::close(got);
    }
  }
}

void on_nothing(int) {}

// A handler and not SIG_IGN: programs that a plugin starts get the default back.
void make_writes_fail_instead(int signal) noexcept {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  if (action.sa_handler != SIG_DFL) return;
  action = {};
  action.sa_handler = on_nothing;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

void put_signals_right() noexcept {
  struct sigaction pipe_action = {};
  sigaction(SIGPIPE, nullptr, &pipe_action);
  closed_pipes_ignored = pipe_action.sa_handler == SIG_IGN;
  make_writes_fail_instead(SIGPIPE);
  make_writes_fail_instead(SIGXFSZ);
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// ---- SIGBUS: everything here must be safe in a signal handler ----

uintptr_t hexadecimal(const char*& at) noexcept {
  uintptr_t number = 0;
  for (;; ++at) {
    const char c = *at;
    if (c >= '0' && c <= '9')
      number = number * 16 + static_cast<uintptr_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      number = number * 16 + static_cast<uintptr_t>(c - 'a' + 10);
    else
      return number;
  }
}

// The path in a line of /proc/self/maps ("begin-end perms offset device inode   /path") whose range holds the address;
// nullptr if it does not, or is no file.
const char* path_at(const char* line, uintptr_t address) noexcept {
  const char* at = line;
  const uintptr_t begin = hexadecimal(at);
  if (*at != '-') return nullptr;
  const uintptr_t end = hexadecimal(++at);
  return address >= begin && address < end ? std::strchr(at, '/') : nullptr;
}

char maps_buffer[8192];

const char* mapped_file_at(uintptr_t address) noexcept {
  const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return nullptr;
  size_t held = 0;
  for (;;) {
    const ssize_t count = ::read(maps, maps_buffer + held, sizeof maps_buffer - 1 - held);
    if (count <= 0) break;
    held += static_cast<size_t>(count);
    maps_buffer[held] = '\0';
    char* line = maps_buffer;
    for (char* end = std::strchr(line, '\n'); end != nullptr; end = std::strchr(line, '\n')) {
      *end = '\0';
      if (const char* path = path_at(line, address)) {
        ::close(maps);
        return path;
      }
      line = end + 1;
    }
    held = static_cast<size_t>(maps_buffer + held - line);
    std::memmove(maps_buffer, line, held);
    if (held == sizeof maps_buffer - 1) held = 0;  // no line is as long
  }
  ::close(maps);
  return nullptr;
}

void on_bus_error(int signal, siginfo_t* info, void*) {
  static std::atomic<bool> telling{false};
  // Several threads may read the same file: one speaks, the others wait for the end.
  if (telling.exchange(true))
    for (;;) ::pause();
  const char* file = info->si_code == BUS_ADRERR ? mapped_file_at(reinterpret_cast<uintptr_t>(info->si_addr)) : nullptr;
  if (file == nullptr) {
    write_signal_note("SIGBUS", *info);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  remove_leftovers();
  write_from_handler("\nfastvideo: ");
  for (const char* c = file; *c != '\0'; ++c) {
    const bool steers = static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f;
    write_from_handler(steers ? std::string_view("?") : std::string_view(c, 1));
  }
  write_from_handler(
      ": cannot be read any more: the file became shorter while it was in use, or its disk fails; put the whole file "
      "back and start again\n");
  ::_exit(kFailedExit);
}

void watch_mapped_files() noexcept {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

// ---- Memory and exceptions ----

[[noreturn]] void end_for_want_of_memory() noexcept {
  write_from_handler("fastvideo: out of memory");
  write_from_handler(memory_limit_advice());
  write_from_handler("\n");
  remove_leftovers();
  ::_exit(kFailedExit);
}

[[noreturn]] void on_terminate() {
  if (const std::exception_ptr failure = std::current_exception()) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::bad_alloc&) {
      end_for_want_of_memory();
    } catch (const std::system_error& e) {
      // A thread that cannot be started, mostly, in a place that may not throw.
      write_from_handler("fastvideo: ");
      write_from_handler(e.what());
      write_from_handler(memory_limit_advice());
      write_from_handler("\n");
      remove_leftovers();
      ::_exit(kFailedExit);
    } catch (const std::exception& e) {
      write_from_handler("fastvideo: an error that nothing caught: ");
      write_from_handler(e.what());
      write_from_handler("\n");
    } catch (...) {  // NOLINT(bugprone-empty-catch): there is nothing to say of it
    }
  }
  remove_leftovers();
  std::abort();
}

}  // namespace

void prepare_process() noexcept {
  open_standard_descriptors();
  note_process_state();
  put_signals_right();
  remove_leftovers_at_signals();
  watch_mapped_files();
  memory_limit_advice();  // read before it is needed where nothing may be read
  std::set_terminate(on_terminate);
  // A library or a plugin may call exit(), and then no destructor of a running function runs.
  std::atexit([] { remove_leftovers(); });
}

bool ignores_closed_pipes() noexcept { return closed_pipes_ignored; }

}  // namespace fastvideo::host
