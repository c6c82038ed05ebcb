// Programs that the host runs: started without a shell, fed through a pipe, always reaped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/process/cancel.hpp"
#include "host/process/file_descriptor.hpp"

namespace fastvideo {

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

/// A running program. Its standard input is a pipe that we write; its standard output and error are kept in memory. It
/// lies in a process group of its own, so that the terminal's Ctrl-C reaches us and not it. One thread at a time.
class ChildProcess {
 public:
  /// Starts `program` with `arguments` (argv[0] is added). Throws std::runtime_error if it cannot be started.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments);
  /// Kills it if it still runs, and reaps it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Writes all bytes to its standard input, waiting for it to read. False if it reads no more: it has ended, or is
  /// about to; ask wait() why. Never raises SIGPIPE. Throws CancelledError if `cancel` is set while waiting.
  bool write(std::span<const std::uint8_t> bytes, const CancelToken* cancel = nullptr);

  /// Closes its standard input and waits for its end, until `cancel` is set (CancelledError) or, if given, `timeout`
  /// has passed (nothing is returned, it still runs).
  std::optional<ExitStatus> wait(const CancelToken* cancel = nullptr,
                                 std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// Kills it, unless it has ended, and reaps it.
  void kill() noexcept;

  pid_t pid() const { return pid_; }
  /// What it has written to standard output and standard error so far.
  std::string output() const;
  std::string error_output() const;

 private:
  bool reap(int options) noexcept;

  FileDescriptor input_;
  FileDescriptor output_;
  FileDescriptor error_;
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
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

}  // namespace fastvideo
