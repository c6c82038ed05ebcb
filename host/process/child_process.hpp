// Programs that the host runs: started without a shell, fed through a pipe, always reaped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/process/file_descriptor.hpp"
#include "host/process/leftovers.hpp"

namespace fastvideo::host {

/// The file that `name` stands for on PATH (an executable regular file), or nothing. Never the current directory.
std::optional<std::filesystem::path> find_program(const std::string& name);

/// How a process ended.
struct ExitStatus {
  int code = 0;    ///< what it returned, if it ended by itself
  int signal = 0;  ///< what killed it, or 0
  bool success() const { return code == 0 && signal == 0; }
  /// "exit code 1" or "killed by signal 9 (Killed)"
  std::string describe() const;
};

/// A program that does not do its work: it stands still, goes on without end, or floods its output. The text says
/// which.
class ChildHangs : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What is suffered from a program; beyond it write() and wait() throw ChildHangs.
struct ChildLimits {
  /// As long may all processes of its group sleep while we wait for it: nothing read, next to no time of the CPU used.
  std::chrono::milliseconds idle = std::chrono::seconds(30);
  /// As long may it go on after its input is closed.
  std::chrono::milliseconds after_input = std::chrono::minutes(10);
  /// As many bytes may it write to standard output and error.
  uint64_t output_bytes = uint64_t{64} << 20;
};

/// A running program. Its standard input is a pipe that we write; of its standard output and error the last 4 MiB each
/// are kept in memory. They are read by write(), wait() and output(): until one is called a program that says more than
/// a pipe holds stands still. It lies in a process group of its own, so that the terminal's Ctrl-C reaches us and not
/// it. One thread at a time.
class ChildProcess {
 public:
  /// Starts `program` with `arguments` (argv[0] is added). Throws std::runtime_error if it cannot be started.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               std::optional<ChildLimits> limits = std::nullopt);
  /// Kills it if it still runs, and reaps it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Writes all bytes to its standard input, waiting for it to read. False if it reads no more: it has ended, or is
  /// about to; ask wait() why. Never raises SIGPIPE. Throws CancelledError if `cancel` is set while waiting,
  /// ChildHangs.
  bool write(std::span<const uint8_t> bytes, const CancelToken* cancel = nullptr);

  /// Closes its standard input and waits for its end, until `cancel` is set (CancelledError) or, if given, `timeout`
  /// has passed (nothing is returned, it still runs). Throws ChildHangs.
  std::optional<ExitStatus> wait(const CancelToken* cancel = nullptr,
                                 std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// Kills it, unless it has ended, and reaps it.
  void kill() noexcept;

  pid_t pid() const { return pid_; }
  /// What it has written to standard output and standard error so far, the last 4 MiB of it.
  std::string output() const;
  std::string error_output() const;

 private:
  using Clock = std::chrono::steady_clock;

  // The end of a pipe that we read, and what came out of it.
  struct Kept {
    FileDescriptor pipe;
    std::string text;
    uint64_t bytes = 0;  // in all
    void read();
  };
  // When the program was last seen to do something.
  struct Activity {
    Clock::time_point seen, looked;
    double cpu_seconds = 0;
  };

  bool reap(int options) noexcept;
  void read_outputs() const;
  void poll_for(std::chrono::milliseconds most, bool for_input) const;
  void note_activity();
  void require_activity();

  FileDescriptor input_;
  mutable Kept output_;
  mutable Kept error_;
  std::optional<ChildLimits> limits_;
  Activity activity_;
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
  LeftoverGroup leftover_;
};

/// What a program that ran to its end left behind.
struct CommandResult {
  ExitStatus status;
  std::string output;
  std::string error_output;
};

/// Runs a program with no input to its end. After `timeout` it is killed and std::runtime_error thrown.
CommandResult run_command(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                          std::chrono::milliseconds timeout);

}  // namespace fastvideo::host
