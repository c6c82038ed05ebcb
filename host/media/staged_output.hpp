// Files and folders that appear under their name only when they are complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "host/process/file_descriptor.hpp"
#include "host/process/leftovers.hpp"

namespace fastvideo {

/// "frame_00007.png"
std::string frame_file_name(std::int64_t index);

/// Where an output really goes: absolute, without a trailing slash, links to existing things followed (so that the link
/// stays and what it points to is replaced).
std::filesystem::path resolve_target(const std::filesystem::path& path);

/// Throws Refused if `target` (resolved) cannot become a file, or a folder of frames: it is something else, or a folder
/// that holds other things than frames.
void check_file_target(const std::filesystem::path& target);
void check_folder_target(const std::filesystem::path& target);

/// A new file beside the target, removed again unless publish() gives it the target's name. Constructor and members
/// throw std::runtime_error with the system's reason.
class StagedFile {
 public:
  explicit StagedFile(const std::filesystem::path& target);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  /// Its temporary path, for programs that write it themselves.
  const std::filesystem::path& path() const { return path_; }
  /// Appends all bytes.
  void append(std::span<const std::uint8_t> bytes);
  /// Waits until the bytes are on the disk, then replaces the target.
  void publish();

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
  FileDescriptor file_;
  std::optional<Leftover> leftover_;  // in case the process ends suddenly
  bool published_ = false;
};

/// The same for a folder of files.
class StagedFolder {
 public:
  explicit StagedFolder(const std::filesystem::path& target);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  /// Writes one whole file into it.
  void add(const std::string& name, std::span<const std::uint8_t> bytes);
  /// Replaces the target, which must still be nothing, an empty folder or a folder of frames.
  void publish();

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
  std::optional<Leftover> leftover_;
  bool published_ = false;
};

}  // namespace fastvideo
