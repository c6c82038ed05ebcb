#include "host/media/staged_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "host/media/write_error.hpp"
#include "host/process/process_state.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_write(const fs::path& target, int error) {
  throw std::runtime_error("cannot write " + target.string() + ": " + write_error(target, error));
}

void write_all(int fd, std::span<const uint8_t> bytes, const fs::path& target) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      refuse_write(target, errno);
    }
  }
}

// What replaces something keeps its permissions; something new has those of the process's umask.
void copy_permissions(const fs::path& from, const fs::path& to) {
  struct stat old = {}, fresh = {};
  if (::stat(from.c_str(), &old) != 0 || ::stat(to.c_str(), &fresh) != 0) return;
  if ((old.st_mode & S_IFMT) == (fresh.st_mode & S_IFMT)) ::chmod(to.c_str(), old.st_mode & 07777);
}

fs::path checked_file(const fs::path& target) {
  check_file_target(target);
  return target;
}

fs::path checked_folder(const fs::path& target) {
  check_folder_target(target);
  return target;
}

// "video.kept.mp4", "video.kept-2.mp4", ... beside "video.mp4"
fs::path kept_name(const fs::path& target, int number) {
  constexpr size_t kMostStem = 200;  // of the 255 bytes that a name may have
  const std::string suffix = ".kept" + (number > 1 ? "-" + std::to_string(number) : "");
  return target.parent_path() /
         (target.stem().string().substr(0, kMostStem) + suffix + target.extension().string().substr(0, 20));
}

// Gives it a name that nothing has yet. False with errno.
bool rename_to_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  // A second name works in folders where nothing can lose its name, and on file systems without the call above.
  if (::link(from.c_str(), to.c_str()) != 0) return false;
  ::unlink(from.c_str());
  return true;
}

// The last step has failed, but the work is done: it stays under a plain name.
[[noreturn]] void keep(const fs::path& made, const fs::path& target, const std::string& reason) {
  fs::path kept = made;
  for (int number = 1; number < 10'000; ++number) {
    const fs::path name = kept_name(target, number);
    if (rename_to_new(made, name)) {
      kept = name;
      break;
    }
    if (errno != EEXIST) break;
  }
  if (kept == made) mark_as_finished(made);
  throw std::runtime_error("cannot write " + target.string() + ": " + reason + "; all is done and kept as " +
                           kept.string() + ": move it to where it shall be");
}

}  // namespace

StagedFile::StagedFile(const fs::path& target)
    : target_(checked_file(target)), made_(make_unfinished_file(target_)), leftover_(made_.path) {}

StagedFile::~StagedFile() {
  if (published_) return;
  // A program that was told to write there may have left anything.
  std::error_code ignored;
  fs::remove_all(made_.path, ignored);
}

void StagedFile::append(std::span<const uint8_t> bytes) { write_all(made_.locked.get(), bytes, target_); }

void StagedFile::publish() {
  restore_process_state();
  // By path: a program may have replaced the file it was given.
  const FileDescriptor written(::open(made_.path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status = {};
  if (!written || ::fstat(written.get(), &status) != 0) refuse_write(target_, errno);
  if (!S_ISREG(status.st_mode))
    throw std::runtime_error("cannot write " + target_.string() + ": what was made is not a file");
  // Some file systems report a full disk only here.
  if (::fsync(written.get()) != 0) refuse_write(target_, errno);
  copy_permissions(target_, made_.path);
  leftover_.forget();
  published_ = true;
  if (::rename(made_.path.c_str(), target_.c_str()) != 0) keep(made_.path, target_, write_error(target_, errno));
}

StagedFolder::StagedFolder(const fs::path& target)
    : target_(checked_folder(target)), made_(make_unfinished_folder(target_)), leftover_(made_.path) {}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!published_) fs::remove_all(made_.path, ignored);
}

void StagedFolder::add(const std::string& name, std::span<const uint8_t> bytes) {
  restore_process_state();
  const fs::path path = made_.path / name;
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file) refuse_write(target_ / name, errno);
  write_all(file.get(), bytes, target_ / name);
  if (::fsync(file.get()) != 0) refuse_write(target_ / name, errno);
}

void StagedFolder::publish() {
  leftover_.forget();
  published_ = true;
  try {
    replace();
  } catch (const std::exception& e) {
    keep(made_.path, target_, e.what());
  }
}

// Throws std::runtime_error with the reason alone; then all is where it was.
void StagedFolder::replace() {
  const auto fail = [&](int error) { throw std::runtime_error(write_error(target_, error)); };
  check_folder_target(target_);
  copy_permissions(target_, made_.path);
  // Onto nothing or an empty folder a rename is enough.
  if (::rename(made_.path.c_str(), target_.c_str()) == 0) return;
  if (errno != ENOTEMPTY && errno != EEXIST) fail(errno);
  std::error_code ignored;
  // Onto earlier frames: both change names in one step, so that at no moment there is none; then the old ones go.
  if (::renameat2(AT_FDCWD, made_.path.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(made_.path, ignored);
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) fail(errno);
  // A file system that cannot exchange: the old frames step aside first, and come back if the new ones cannot follow.
  // Under a name that is no leftover's: were we killed now, they would be all that there is.
  fs::path aside = target_;
  for (int number = 1; fs::exists(fs::symlink_status(aside, ignored)); ++number)
    aside = target_.parent_path() / (target_.filename().string().substr(0, 200) + ".earlier-" + std::to_string(number));
  if (::rename(target_.c_str(), aside.c_str()) != 0) fail(errno);
  if (::rename(made_.path.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    ::rename(aside.c_str(), target_.c_str());
    fail(error);
  }
  fs::remove_all(aside, ignored);
}

}  // namespace fastvideo::host
