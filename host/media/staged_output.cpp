#include "host/media/staged_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fastvideo/core.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace fastvideo {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_system_error(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::error_code(error, std::generic_category()).message());
}

// Calls make(path) with fresh names beside the target until it does not answer EEXIST.
template <class Make>
fs::path make_beside(const fs::path& target, Make&& make) {
  const std::string stem = ".fastvideo-" + std::to_string(::getpid()) + "-";
  for (int number = 0;; ++number) {
    fs::path path = target.parent_path() / (stem + std::to_string(number) + ".partial");
    if (make(path)) return path;
    if (errno != EEXIST) throw_system_error("cannot create a file in " + target.parent_path().string(), errno);
  }
}

void write_all(int fd, std::span<const std::uint8_t> bytes, const fs::path& target) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      throw_system_error("cannot write " + target.string(), errno);
    }
  }
}

// What replaces something keeps its permissions; something new has those of the process's umask.
void copy_permissions(const fs::path& from, const fs::path& to) {
  struct stat status = {};
  if (::stat(from.c_str(), &status) == 0) ::chmod(to.c_str(), status.st_mode & 07777);
}

bool is_frame_name(std::string_view name) {
  constexpr std::string_view kPrefix = "frame_";
  constexpr std::string_view kSuffix = ".png";
  if (name.size() < kPrefix.size() + 5 + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
    return false;
  }
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string frame_file_name(std::int64_t index) {
  char name[40];
  std::snprintf(name, sizeof name, "frame_%05lld.png", static_cast<long long>(index));
  return name;
}

fs::path resolve_target(const fs::path& path) {
  fs::path target = fs::absolute(path).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  std::error_code missing;
  const fs::path real = fs::canonical(target, missing);
  return missing ? target : real;
}

void check_file_target(const fs::path& target) {
  std::error_code ignored;
  const fs::file_status status = fs::status(target, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Refused(target.string() + " exists and is not a file: choose another --output-path");
  }
}

void check_folder_target(const fs::path& target) {
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) {
    throw Refused(target.string() + " exists and is not a folder; frames as PNG files go into a folder: choose " +
                  "another --output-path, or one that ends in .mp4, .webm, .gif or .y4m");
  }
  fs::directory_iterator entries(target, error);
  if (error) throw Refused("cannot read the folder " + target.string() + ": " + error.message());
  for (const fs::directory_entry& entry : entries) {
    if (!is_frame_name(entry.path().filename().string()) || !entry.is_regular_file(error)) {
      throw Refused("the folder " + target.string() + " holds " + entry.path().filename().string() +
                    ", which is no frame_NNNNN.png: choose a new or empty folder for the frames");
    }
  }
}

StagedFile::StagedFile(const fs::path& target) : target_(target) {
  check_file_target(target_);
  path_ = make_beside(target_, [this](const fs::path& path) {
    file_ = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    return static_cast<bool>(file_);
  });
  leftover_.emplace(path_);
}

StagedFile::~StagedFile() {
  if (!published_) ::unlink(path_.c_str());
}

void StagedFile::append(std::span<const std::uint8_t> bytes) { write_all(file_.get(), bytes, target_); }

void StagedFile::publish() {
  // Some file systems report a full disk only here. (By path: a program may have replaced the file it was given.)
  const FileDescriptor written(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!written || ::fsync(written.get()) != 0) throw_system_error("cannot write " + target_.string(), errno);
  copy_permissions(target_, path_);
  if (::rename(path_.c_str(), target_.c_str()) != 0) throw_system_error("cannot write " + target_.string(), errno);
  published_ = true;
  leftover_.reset();
}

StagedFolder::StagedFolder(const fs::path& target) : target_(target) {
  check_folder_target(target_);
  path_ = make_beside(target_, [](const fs::path& path) { return ::mkdir(path.c_str(), 0777) == 0; });
  leftover_.emplace(path_);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!published_) fs::remove_all(path_, ignored);
}

void StagedFolder::add(const std::string& name, std::span<const std::uint8_t> bytes) {
  const fs::path path = path_ / name;
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file) throw_system_error("cannot write " + (target_ / name).string(), errno);
  write_all(file.get(), bytes, target_ / name);
  if (::fsync(file.get()) != 0) throw_system_error("cannot write " + (target_ / name).string(), errno);
}

void StagedFolder::publish() {
  check_folder_target(target_);
  copy_permissions(target_, path_);
  // Onto nothing or an empty folder a rename is enough.
  if (::rename(path_.c_str(), target_.c_str()) == 0) {
    published_ = true;
    leftover_.reset();
    return;
  }
  if (errno != ENOTEMPTY && errno != EEXIST) throw_system_error("cannot write " + target_.string(), errno);
  // Onto earlier frames: both change names in one step, so that at no moment there is none; then the old ones go.
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    published_ = true;
    leftover_.reset();
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) throw_system_error("cannot write " + target_.string(), errno);
  // A file system that cannot exchange: the old frames step aside first, and come back if the new ones cannot follow.
  const fs::path aside = make_beside(target_, [](const fs::path& path) { return ::mkdir(path.c_str(), 0777) == 0; });
  if (::rename(target_.c_str(), aside.c_str()) != 0) {
    const int error = errno;
    ::rmdir(aside.c_str());
    throw_system_error("cannot write " + target_.string(), error);
  }
  if (::rename(path_.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    ::rename(aside.c_str(), target_.c_str());
    throw_system_error("cannot write " + target_.string(), error);
  }
  published_ = true;
  leftover_.reset();
  std::error_code ignored;
  fs::remove_all(aside, ignored);
}

}  // namespace fastvideo
