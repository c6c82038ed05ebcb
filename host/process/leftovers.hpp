// What must not outlive a process that ends at once: outputs that are not complete, and the programs that write them.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace fastvideo::host {

/// While it lives, remove_leftovers() removes the file or the folder (and the files in it) at `path`. Where the table
/// of them is full (32), nothing is noted: the next run that writes beside it cleans up. Any thread.
class Leftover {
 public:
  explicit Leftover(const std::filesystem::path& path) noexcept;
  ~Leftover() { forget(); }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

  /// From now on it stays.
  void forget() noexcept;

 private:
  int slot_ = -1;
};

/// The same for a process group that is killed.
class LeftoverGroup {
 public:
  LeftoverGroup() = default;
  ~LeftoverGroup() { forget(); }
  LeftoverGroup(const LeftoverGroup&) = delete;
  LeftoverGroup& operator=(const LeftoverGroup&) = delete;

  void note(pid_t group) noexcept;
  void forget() noexcept;

 private:
  int slot_ = -1;
};

/// Kills the groups and removes the files and folders that are noted by this process (not by one that it was forked
/// from). Safe in a signal handler; may be called again.
void remove_leftovers() noexcept;

}  // namespace fastvideo::host
