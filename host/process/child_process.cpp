#include "host/process/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>

#include "host/process/process_state.hpp"

namespace fastvideo::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string error_text(int error) { return std::error_code(error, std::generic_category()).message(); }

[[noreturn]] void throw_system_error(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + error_text(error));
}

// Of what a program says the end counts; an endless flood must not fill our memory.
constexpr size_t kMostKept = size_t{4} << 20;
// What is read in one go, so that a flood does not hold us.
constexpr size_t kMostAtOnce = size_t{1} << 20;

struct OutputPipe {
  FileDescriptor ours, of_child;

  OutputPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_system_error("cannot make a pipe for a program's output", errno);
    ours = FileDescriptor(ends[0]);
    of_child = FileDescriptor(ends[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  }
};

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

// What the processes of a group have done so far.
struct GroupUsage {
  bool is_known = false;
  bool is_busy = false;  // one of them runs, or waits for a disk
  double cpu_seconds = 0;
};

// Less of the CPU's time than this is a program that looks now and then whether something has come.
constexpr double kBusySeconds = 0.5;

// Adds what a line of /proc/PID/stat says ("PID (NAME) STATE PPID GROUP ... UTIME STIME CUTIME CSTIME ..."), if the
// process is of the group.
void add_usage(const std::string& line, pid_t group, GroupUsage& usage) {
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream fields(line.substr(name_end + 1));
  char state = 0;
  long parent = 0, its_group = 0;
  if (!(fields >> state >> parent >> its_group) || its_group != group) return;
  usage.is_known = true;
  usage.is_busy = usage.is_busy || state == 'R' || state == 'D';
  std::string passed_over;
  for (int i = 0; i < 8; ++i) fields >> passed_over;
  static const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (double time = 0, i = 0; i < 4 && fields >> time; ++i) usage.cpu_seconds += time / ticks;
}

GroupUsage usage_of_group(pid_t group) {
  GroupUsage usage;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::string line;
    std::getline(std::ifstream(entry.path() / "stat"), line);
    add_usage(line, group, usage);
  }
  return usage;
}

std::string seconds_text(milliseconds time) {
  return time < seconds(1) ? std::to_string(time.count()) + " ms" : std::to_string(time / seconds(1)) + " s";
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
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

ChildProcess::ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           std::optional<ChildLimits> limits)
    : limits_(limits) {
  restore_process_state();  // no pipe gets the number of a standard descriptor
  OutputPipe output;
  OutputPipe error_output;
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
  posix_spawn_file_actions_adddup2(&settings.files, output.of_child.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&settings.files, error_output.of_child.get(), STDERR_FILENO);
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
  output_.pipe = std::move(output.ours);
  error_.pipe = std::move(error_output.ours);
  leftover_.note(pid_);
}

ChildProcess::~ChildProcess() { kill(); }

void ChildProcess::Kept::read() {
  char buffer[16384];
  for (size_t fresh = 0; pipe && fresh < kMostAtOnce;) {
    const ssize_t count = ::read(pipe.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      pipe.reset();
      break;
    }
    text.append(buffer, static_cast<size_t>(count));
    fresh += static_cast<size_t>(count);
    bytes += static_cast<uint64_t>(count);
  }
  // In large pieces, so that a flood is not moved about for each of its lines.
  if (text.size() > 2 * kMostKept) text.erase(0, text.size() - kMostKept);
}

void ChildProcess::read_outputs() const {
  output_.read();
  error_.read();
}

// Until it says something, takes input (if asked for) or the time has passed.
void ChildProcess::poll_for(milliseconds most, bool for_input) const {
  pollfd waiting[] = {
      {for_input ? input_.get() : -1, POLLOUT, 0}, {output_.pipe.get(), POLLIN, 0}, {error_.pipe.get(), POLLIN, 0}};
  ::poll(waiting, std::size(waiting), static_cast<int>(most.count()));
  read_outputs();
}

void ChildProcess::note_activity() {
  if (!limits_) return;
  activity_.seen = activity_.looked = Clock::now();
  activity_.cpu_seconds = usage_of_group(pid_).cpu_seconds;
}

void ChildProcess::require_activity() {
  if (!limits_) return;
  if (const uint64_t bytes = output_.bytes + error_.bytes; bytes > limits_->output_bytes)
    throw ChildHangs("it has written " + std::to_string(bytes >> 20) + " MiB of messages without an end");
  const Clock::time_point now = Clock::now();
  const auto interval = std::min<Clock::duration>(seconds(1), limits_->idle / 8);
  const auto since = now - activity_.looked;
  if (since < interval) return;
  activity_.looked = now;
  const GroupUsage usage = usage_of_group(pid_);
  const bool was_suspended = since > interval * 8 + seconds(1);  // we were, and may be it, too (Ctrl-Z)
  if (!usage.is_known || usage.is_busy || was_suspended || usage.cpu_seconds - activity_.cpu_seconds > kBusySeconds) {
    activity_.seen = now;
    activity_.cpu_seconds = usage.cpu_seconds;
  } else if (now - activity_.seen >= limits_->idle) {
    throw ChildHangs("it has done nothing for " + seconds_text(limits_->idle));
  }
}

bool ChildProcess::write(std::span<const uint8_t> bytes, const CancelToken* cancel) {
  read_outputs();
  for (bool waited = false; !bytes.empty();) {
    if (cancel != nullptr) cancel->throw_if_requested();
    const ssize_t count = ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(count));
      waited = false;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!std::exchange(waited, true)) note_activity();
      // In slices, so that a program that hangs can be cancelled.
      poll_for(milliseconds(50), true);
      require_activity();
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
  leftover_.forget();
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
  const auto start = Clock::now();
  note_activity();
  milliseconds pause(1);
  while (!reap(WNOHANG)) {
    if (cancel != nullptr) cancel->throw_if_requested();
    const auto passed = Clock::now() - start;
    if (timeout && passed >= *timeout) return std::nullopt;
    if (limits_ && passed >= limits_->after_input)
      throw ChildHangs("it had not ended " + seconds_text(limits_->after_input) + " after its last input");
    require_activity();
    poll_for(pause, false);
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

std::string ChildProcess::output() const {
  read_outputs();
  return output_.text.substr(output_.text.size() - std::min(output_.text.size(), kMostKept));
}
std::string ChildProcess::error_output() const {
  read_outputs();
  return error_.text.substr(error_.text.size() - std::min(error_.text.size(), kMostKept));
}

CommandResult run_command(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                          milliseconds timeout) {
  ChildProcess child(program, arguments);
  const std::optional<ExitStatus> status = child.wait(nullptr, timeout);
  if (!status) {
    throw std::runtime_error(program.string() + " did not end within " + std::to_string(timeout.count()) + " ms");
  }
  return {*status, child.output(), child.error_output()};
}

}  // namespace fastvideo::host
