#include "host/calls/process_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstring>
#include <locale>

namespace fastvideo {
namespace {

// An open file and which one it is.
struct Noted {
  int descriptor = -1;
  dev_t device = 0;
  ino_t inode = 0;

  bool is(const struct stat& status) const { return status.st_dev == device && status.st_ino == inode; }
};

struct State {
  bool is_noted = false;
  std::array<Noted, 3> standard;
  Noted folder;
  mode_t mask = 0;
  std::fenv_t numbers{};
};

State& state() {
  static State all;
  return all;
}

Noted noted(int descriptor) noexcept {
  struct stat status {};
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) return {};
  return {descriptor, status.st_dev, status.st_ino};
}

}  // namespace

void note_process_state() noexcept {
  State& all = state();
  constexpr int kBehindStandard = 3;
  for (int number = 0; number < kBehindStandard; ++number)
    all.standard[static_cast<unsigned>(number)] = noted(::fcntl(number, F_DUPFD_CLOEXEC, kBehindStandard));
  all.folder = noted(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  all.mask = ::umask(0);
  ::umask(all.mask);
  std::fegetenv(&all.numbers);
  all.is_noted = true;
}

void restore_process_state() noexcept {
  const State& all = state();
  if (!all.is_noted) return;
  struct stat status {};
  for (int number = 0; number < 3; ++number) {
    const Noted& before = all.standard[static_cast<unsigned>(number)];
    if (before.descriptor >= 0 && (::fstat(number, &status) != 0 || !before.is(status)))
      ::dup2(before.descriptor, number);
  }
  if (all.folder.descriptor >= 0 && (::stat(".", &status) != 0 || !all.folder.is(status)))
    static_cast<void>(::fchdir(all.folder.descriptor) == 0);
  ::umask(all.mask);
  std::fesetenv(&all.numbers);
  // A locale of C++ without a name leaves that of C as it is, and the other way round.
  if (std::locale() != std::locale::classic()) std::locale::global(std::locale::classic());
  if (const char* name = std::setlocale(LC_ALL, nullptr); name == nullptr || std::strcmp(name, "C") != 0)
    std::setlocale(LC_ALL, "C");
  if (::gettid() != ::getpid()) return;  // other threads have masks of their own
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace fastvideo
