#include "host/media/unfinished.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "host/log/log.hpp"
#include "host/media/write_error.hpp"
#include "host/process/process_state.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinishedPrefix = ".fastvideo-";
constexpr std::string_view kUnfinishedSuffix = ".partial";
constexpr mode_t kFinishedMark = S_ISVTX;  // means nothing for files, and nobody deletes in such a folder

// The process in ".fastvideo-<pid>-<n>.partial".
std::optional<pid_t> maker_of(std::string_view name) {
  if (!name.starts_with(kUnfinishedPrefix) || !name.ends_with(kUnfinishedSuffix)) return std::nullopt;
  name.remove_prefix(kUnfinishedPrefix.size());
  name.remove_suffix(kUnfinishedSuffix.size());
  const auto number = [&](auto& value) {
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    name.remove_prefix(static_cast<size_t>(end - name.data()));
    return error == std::errc() && value >= 0;
  };
  pid_t pid = 0;
  int count = 0;
  if (!number(pid) || !name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  return number(count) && name.empty() ? std::optional(pid) : std::nullopt;
}

bool is_of(int fd, const fs::path& path) {
  struct stat opened = {}, named = {};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

// A process of that number may be another one by now, but not the other way round: one that works holds its lock, also
// in a container whose processes we do not see.
bool is_abandoned(int fd, const fs::path& path, pid_t maker) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0 || status.st_uid != ::geteuid() || (status.st_mode & kFinishedMark) != 0) return false;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return false;
  if (maker != ::getpid() && (::kill(maker, 0) == 0 || errno == EPERM)) return false;
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0 && is_of(fd, path);
}

int remove_abandoned(const fs::path& folder) {
  int removed = 0;
  std::error_code failure;
  fs::directory_iterator entries(folder, failure);
  for (; !failure && entries != fs::directory_iterator(); entries.increment(failure)) {
    const fs::path& path = entries->path();
    const std::optional<pid_t> maker = maker_of(path.filename().native());
    if (!maker) continue;
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd || !is_abandoned(fd.get(), path, *maker)) continue;
    std::error_code kept;
    fs::remove_all(path, kept);
    if (!kept) ++removed;
  }
  return removed;
}

// Once a folder: runs of many prompts make many files in it.
void clear_once(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<fs::path>* const cleared = new std::set<fs::path>();
  const std::lock_guard lock(mutex);
  if (!cleared->insert(folder).second) return;
  if (const int removed = remove_abandoned(folder); removed > 0)
    log_info("output", "removed " + std::to_string(removed) +
                           (removed == 1 ? " unfinished output" : " unfinished outputs") +
                           " of runs that were killed from " + folder.string());
}

// Calls make(path) with fresh names beside the target until it does not answer EEXIST.
template <class Make>
Unfinished make_unfinished(const fs::path& target, Make&& make) {
  restore_process_state();
  const fs::path folder = target.parent_path();
  clear_once(folder);
  const std::string stem = std::string(kUnfinishedPrefix) + std::to_string(::getpid()) + "-";
  for (int number = 0;; ++number) {
    Unfinished made{folder / (stem + std::to_string(number)).append(kUnfinishedSuffix), {}};
    made.locked = make(made.path);
    if (!made.locked) {
      if (errno == EEXIST) continue;
      throw std::runtime_error("cannot create a file in " + folder.string() + ": " + write_error(target, errno));
    }
    // Where there are no locks it is nobody's leftover either. One that looked for leftovers may have been quicker.
    while (::flock(made.locked.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    if (is_of(made.locked.get(), made.path)) return made;
  }
}

}  // namespace

Unfinished make_unfinished_file(const fs::path& target) {
  return make_unfinished(target, [](const fs::path& path) {
    return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  });
}

Unfinished make_unfinished_folder(const fs::path& target) {
  return make_unfinished(target, [](const fs::path& path) {
    if (::mkdir(path.c_str(), 0777) != 0) return FileDescriptor();
    FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder && errno == ENOENT) errno = EEXIST;  // taken away in between: the next name
    return folder;
  });
}

void mark_as_finished(const fs::path& path) noexcept {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0) ::chmod(path.c_str(), (status.st_mode & 07777) | kFinishedMark);
}

}  // namespace fastvideo::host
