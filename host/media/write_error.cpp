#include "host/media/write_error.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// The largest file that this process may write, in bytes.
std::optional<uint64_t> file_size_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

struct Space {
  uint64_t free_bytes;
  uint64_t free_files;
  bool counts_files;
};

std::optional<Space> space_of(const fs::path& folder) {
  struct statvfs status = {};
  if (::statvfs(folder.c_str(), &status) != 0) return std::nullopt;
  return Space{status.f_bavail * status.f_frsize, status.f_favail, status.f_files > 0};
}

std::string limit_text(const fs::path& target) {
  if (const auto limit = file_size_limit())
    return "; this process may write files of at most " + std::to_string(*limit) +
           " bytes (RLIMIT_FSIZE): raise that with ulimit -f unlimited, or ask for a smaller video";
  return "; the file system of " + target.parent_path().string() +
         " takes no file of that size (FAT: 4 GiB): choose another path, or ask for a smaller video";
}

std::string space_text(const fs::path& folder) {
  const auto space = space_of(folder);
  const bool lacks_files = space && space->counts_files && space->free_files == 0;
  return "; the disk of " + folder.string() + " has " +
         (lacks_files ? "no room for another file (df -i)"
          : space     ? std::to_string(space->free_bytes) + " bytes free"
                      : "no room") +
         ": make room there, or choose another path";
}

}  // namespace

std::string write_error(const fs::path& target, int error) {
  const std::string folder = target.parent_path().string();
  std::string text = std::error_code(error, std::generic_category()).message();
  if (error == EFBIG) text += limit_text(target);
  if (error == ENOSPC) text += space_text(target.parent_path());
  if (error == EDQUOT)
    text += "; your share (quota) of the disk of " + folder +
            " is used up: remove files of yours there, have it raised, or choose another path";
  if (error == EROFS) text += "; " + folder + " is on a file system that is mounted read-only: choose another path";
  return text;
}

std::string likely_write_error(const fs::path& target, uintmax_t written) {
  if (const auto limit = file_size_limit(); limit && written >= *limit) return write_error(target, EFBIG);
  constexpr uint64_t kNothing = 1 << 16;  // less than what one write wants
  const auto space = space_of(target.parent_path());
  return space && space->free_bytes < kNothing ? write_error(target, ENOSPC) : "";
}

}  // namespace fastvideo::host
