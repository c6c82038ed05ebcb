#include "host/process/process_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstring>
#include <locale>

#include "host/calls/after_call.hpp"
#include "host/calls/kept_rounding.hpp"

namespace fastvideo::host {
namespace {

constexpr int kBehindStandard = 3;

enum class Kind : unsigned { descriptors, folder, mask, mode, locale, signals };
constexpr std::array<const char*, 6> kNames = {
    "standard descriptors", "working directory", "umask", "floating-point mode", "locale", "blocked signals"};
std::atomic<unsigned> all_restored{0};

void restored(Kind kind) noexcept { all_restored.fetch_or(1U << static_cast<unsigned>(kind)); }

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
  unsigned mode = 0;
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
  for (int number = 0; number < kBehindStandard; ++number)
    all.standard[static_cast<unsigned>(number)] = noted(::fcntl(number, F_DUPFD_CLOEXEC, kBehindStandard));
  all.folder = noted(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  all.mask = ::umask(0);
  ::umask(all.mask);
  std::fegetenv(&all.numbers);
  all.mode = floating_point_mode();
  all.is_noted = true;
  set_after_call(restore_process_state);
}

void restore_process_state() noexcept {
  const State& all = state();
  if (!all.is_noted) return;
  struct stat status {};
  for (int number = 0; number < kBehindStandard; ++number) {
    const Noted& before = all.standard[static_cast<unsigned>(number)];
    if (before.descriptor < 0 || (::fstat(number, &status) == 0 && before.is(status))) continue;
    restored(Kind::descriptors);
    ::dup2(before.descriptor, number);
  }
  if (all.folder.descriptor >= 0 && (::stat(".", &status) != 0 || !all.folder.is(status))) {
    restored(Kind::folder);
    static_cast<void>(::fchdir(all.folder.descriptor) == 0);
  }
  if (::umask(all.mask) != all.mask) restored(Kind::mask);
  if (floating_point_mode() != all.mode) restored(Kind::mode);
  std::fesetenv(&all.numbers);
  // A locale of C++ without a name leaves that of C as it is, and the other way round.
  if (std::locale() != std::locale::classic()) {
    restored(Kind::locale);
    std::locale::global(std::locale::classic());
  }
  if (const char* name = std::setlocale(LC_ALL, nullptr); name == nullptr || std::strcmp(name, "C") != 0) {
    restored(Kind::locale);
    std::setlocale(LC_ALL, "C");
  }
  if (::gettid() != ::getpid()) return;  // other threads have masks of their own
  sigset_t none, before;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &before);
  if (sigisemptyset(&before) == 0) restored(Kind::signals);
}

std::string restored_process_state() {
  if (take_restored_mode()) restored(Kind::mode);
  const unsigned kinds = all_restored.exchange(0);
  std::string text;
  for (unsigned i = 0; i < kNames.size(); ++i)
    if ((kinds & (1U << i)) != 0) text.append(text.empty() ? "" : ", ").append(kNames[i]);
  return text;
}

}  // namespace fastvideo::host
