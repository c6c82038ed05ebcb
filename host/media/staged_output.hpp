// Files and folders that appear under their name only when they are complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "host/media/target.hpp"
#include "host/media/unfinished.hpp"
#include "host/process/leftovers.hpp"

namespace fastvideo::host {

/// A new file beside the target, removed again unless publish() gives it the target's name. Constructor and members
/// throw std::runtime_error with the system's reason.
class StagedFile {
 public:
  /// Throws Refused as check_file_target.
  explicit StagedFile(const std::filesystem::path& target);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  /// Its temporary path, for programs that write it themselves.
  const std::filesystem::path& path() const { return made_.path; }
  /// Appends all bytes.
  void append(std::span<const uint8_t> bytes);
  /// Waits until the bytes are on the disk, then replaces the target. If that last step fails what is complete is not
  /// lost: it stays beside the target under a plain name, which the error tells.
  void publish();

 private:
  std::filesystem::path target_;
  Unfinished made_;
  Leftover leftover_;
  bool published_ = false;
};

/// The same for a folder of files.
class StagedFolder {
 public:
  /// Throws Refused as check_folder_target.
  explicit StagedFolder(const std::filesystem::path& target);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  /// Writes one whole file into it.
  void add(const std::string& name, std::span<const uint8_t> bytes);
  /// Replaces the target, which must still be nothing, an empty folder or a folder of frames; or stays, as a file does.
  void publish();

 private:
  void replace();

  std::filesystem::path target_;
  Unfinished made_;
  Leftover leftover_;
  bool published_ = false;
};

}  // namespace fastvideo::host
