#include "host/process/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>

namespace fastvideo {
namespace {

using std::chrono::milliseconds;

std::string error_text(int error) { return std::error_code(error, std::generic_category()).message(); }

[[noreturn]] void throw_system_error(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + error_text(error));
}

// A file in memory: what a child writes there cannot fill a pipe and stop it.
FileDescriptor memory_file(const char* name) {
  FileDescriptor file(memfd_create(name, MFD_CLOEXEC));
  if (!file) throw_system_error("cannot make a file in memory for a program's output", errno);
  return file;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  // pread: the offset of the descriptor is shared with the child, which still writes.
  while (true) {
    const ssize_t count = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

// posix_spawn's two argument objects, destroyed whatever happens.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::filesystem::path folder(rest.substr(0, colon));
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    if (!folder.is_absolute()) continue;
    std::filesystem::path candidate = folder / name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return std::nullopt;
}

std::string ExitStatus::describe() const {
  if (signal == 0) return "exit code " + std::to_string(code);
  const char* name = sigdescr_np(signal);
  return "killed by signal " + std::to_string(signal) + " (" + (name != nullptr ? name : "unknown") + ")";
}

ChildProcess::ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments)
    : output_(memory_file("stdout")), error_(memory_file("stderr")) {
  // A socket pair and not a pipe: MSG_NOSIGNAL keeps SIGPIPE away without touching the process's signal settings.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_system_error("cannot make a pipe to " + program.string(), errno);
  }
  input_ = FileDescriptor(ends[0]);
  const FileDescriptor child_end(ends[1]);
  ::shutdown(child_end.get(), SHUT_WR);

  SpawnSettings settings;
  posix_spawn_file_actions_adddup2(&settings.files, child_end.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&settings.files, output_.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&settings.files, error_.get(), STDERR_FILENO);
  // The child starts with no signal blocked, none ignored, and away from the terminal's process group.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(&settings.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::string name = program.string();
  std::vector<std::string> strings = arguments;
  std::vector<char*> argv = {name.data()};
  for (std::string& argument : strings) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, name.c_str(), &settings.files, &settings.attributes, argv.data(), environ);
  if (error != 0) {
    pid_ = -1;
    throw_system_error("cannot start " + name, error);
  }
}

ChildProcess::~ChildProcess() { kill(); }

bool ChildProcess::write(std::span<const std::uint8_t> bytes, const CancelToken* cancel) {
  while (!bytes.empty()) {
    if (cancel != nullptr) cancel->throw_if_requested();
    const ssize_t count = ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // In slices, so that a program that hangs can be cancelled.
      pollfd waiting = {input_.get(), POLLOUT, 0};
      ::poll(&waiting, 1, 50);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool ChildProcess::reap(int options) noexcept {
  if (status_) return true;
  int raw = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, &raw, options);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  ExitStatus status;
  if (got < 0) {
    status.code = -1;  // somebody ignores SIGCHLD or reaped it for us: its end is known, its status lost
  } else if (WIFSIGNALED(raw)) {
    status.signal = WTERMSIG(raw);
  } else {
    status.code = WEXITSTATUS(raw);
  }
  status_ = status;
  return true;
}

std::optional<ExitStatus> ChildProcess::wait(const CancelToken* cancel, std::optional<milliseconds> timeout) {
  input_.reset();
  const auto start = std::chrono::steady_clock::now();
  milliseconds pause(1);
  while (!reap(WNOHANG)) {
    if (cancel != nullptr) cancel->throw_if_requested();
    if (timeout && std::chrono::steady_clock::now() - start >= *timeout) return std::nullopt;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, milliseconds(20));
  }
  return status_;
}

void ChildProcess::kill() noexcept {
  if (pid_ < 0 || status_) return;
  // The group: a wrapper script's own children must not go on writing.
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  reap(0);
}

std::string ChildProcess::output() const { return read_all(output_.get()); }
std::string ChildProcess::error_output() const { return read_all(error_.get()); }

CommandResult run_command(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                          milliseconds timeout) {
  ChildProcess child(program, arguments);
  const std::optional<ExitStatus> status = child.wait(nullptr, timeout);
  if (!status) {
    throw std::runtime_error(program.string() + " did not end within " + std::to_string(timeout.count()) + " ms");
  }
  return {*status, child.output(), child.error_output()};
}

}  // namespace fastvideo
