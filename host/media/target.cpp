#include "host/media/target.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fastvideo/broken_link.hpp>
#include <fastvideo/core.hpp>
#include <string_view>
#include <system_error>

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

constexpr const char* kChooseAnother = ": choose another path";

bool is_frame_name(std::string_view name) {
  constexpr std::string_view kPrefix = "frame_";
  constexpr std::string_view kSuffix = ".png";
  if (name.size() < kPrefix.size() + 5 + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
    return false;
  }
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A name that no file can have is found out by asking for it.
void check_name(const fs::path& target) {
  struct stat status = {};
  if (::lstat(target.c_str(), &status) == 0) return;
  const int error = errno;
  if (error == ENAMETOOLONG) {
    const size_t bytes = target.filename().native().size();
    const long most = ::pathconf(target.parent_path().c_str(), _PC_NAME_MAX);
    if (most > 0 && bytes > static_cast<size_t>(most))
      throw Refused("the name " + target.filename().string().substr(0, 40) + "... has " + std::to_string(bytes) +
                    " bytes, and " + target.parent_path().string() + " takes names of at most " + std::to_string(most) +
                    ": choose a shorter one");
    throw Refused("the path " + target.string().substr(0, 80) + "... has " + std::to_string(target.native().size()) +
                  " bytes, which is too long: choose a shorter one");
  }
  if (error == EINVAL || error == EILSEQ)
    throw Refused(target.string() + " is no name for a file there: " + std::strerror(error) + kChooseAnother);
}

// One that leads back to itself, or to where nothing can be made, would be replaced by what it should lead to.
void check_link(const fs::path& target) {
  if (const std::string link = broken_link(target.string()); !link.empty())
    throw Refused(target.string() + " " + link + ": remove the link, or choose another path");
}

// As much of it as is there without links, and no slash at the end.
fs::path canonical_beginning(const fs::path& path) {
  std::error_code failure;
  fs::path target = fs::weakly_canonical(path, failure);
  if (failure) target = path.lexically_normal();
  return target.has_filename() ? target : target.parent_path();
}

// What the system says of a file beyond its mode; 0 where it does not.
uint64_t attributes_of(const fs::path& path) {
  struct statx status = {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &status) != 0) return 0;
  return status.stx_attributes;
}

// An output takes its name in the end by a rename onto what is there.
void check_replaceable(const fs::path& target) {
  const fs::path folder = target.parent_path();
  if ((attributes_of(folder) & STATX_ATTR_APPEND) != 0)
    throw Refused("in the folder " + folder.string() +
                  " nothing can get another name, for it is append-only (chattr +a): choose another folder");
  struct stat there = {}, its_folder = {};
  if (::lstat(target.c_str(), &there) != 0) return;
  const uint64_t attributes = attributes_of(target);
  if ((attributes & STATX_ATTR_MOUNT_ROOT) != 0)
    throw Refused(target.string() + " is a mount point, which nothing can replace: " +
                  (S_ISDIR(there.st_mode) ? "choose a folder inside it" : "mount its folder and not the file") +
                  ", or choose another path");
  if ((attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0)
    throw Refused(target.string() + " cannot be replaced, for it is immutable or append-only (chattr, lsattr)" +
                  kChooseAnother);
  const uid_t user = ::geteuid();
  const bool is_sticky = ::stat(folder.c_str(), &its_folder) == 0 && (its_folder.st_mode & S_ISVTX) != 0;
  if (is_sticky && user != 0 && there.st_uid != user && its_folder.st_uid != user)
    throw Refused(target.string() + " is another user's, and in the folder " + folder.string() +
                  " (sticky) nobody else can replace it" + kChooseAnother);
}

}  // namespace

std::string frame_file_name(int64_t index) {
  char name[40];
  std::snprintf(name, sizeof name, "frame_%05lld.png", static_cast<long long>(index));
  return name;
}

fs::path resolve_target(const fs::path& path) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(path, failure);
  if (failure)
    throw Refused(path.string() + ": the working directory, which it is relative to, cannot be told (" +
                  failure.message() + "): change to another one, or give the path from / on");
  fs::path target = canonical_beginning(absolute);
  // A link to what is not there yet, in a folder that is: there it goes, as when any program opens it.
  if (fs::is_symlink(fs::symlink_status(target, failure)) && !fs::exists(target, failure) && !failure) {
    const fs::path end = canonical_beginning(end_of_links(target.string()));
    if (fs::is_directory(end.parent_path(), failure)) return end;
  }
  return target;
}

void check_folder_of(const fs::path& target) {
  const fs::path parent = target.parent_path();
  std::error_code ignored;
  if (fs::is_directory(parent, ignored)) return;
  if (const std::string link = broken_link(parent.string()); !link.empty())
    throw Refused("the folder " + parent.string() + " " + link + ": make the link anew, or choose another path");
  if (fs::exists(fs::status(parent, ignored)))
    throw Refused(parent.string() + " is not a folder, so nothing can be written in it: choose another path");
  throw Refused("the folder " + parent.string() + " does not exist: make it (mkdir -p) or choose another path");
}

void check_file_target(const fs::path& target) {
  check_folder_of(target);
  check_name(target);
  check_link(target);
  std::error_code ignored;
  const fs::file_status status = fs::status(target, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Refused(target.string() + " exists and is not a file" + kChooseAnother);
  }
  check_replaceable(target);
}

void check_folder_target(const fs::path& target) {
  check_folder_of(target);
  check_name(target);
  check_link(target);
  std::error_code error, ignored;
  const fs::file_status status = fs::status(target, ignored);
  if (!fs::exists(status)) return check_replaceable(target);
  if (!fs::is_directory(status)) {
    throw Refused(target.string() + " exists and is not a folder; frames as PNG files go into a folder: choose " +
                  "another path, or one that ends in .mp4, .webm, .gif or .y4m");
  }
  bool holds_frames = false;
  fs::directory_iterator entries(target, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::directory_entry& entry = *entries;
    if (!fs::exists(entry.symlink_status(ignored))) continue;  // another run has just replaced the folder
    if (!is_frame_name(entry.path().filename().string()) || !entry.is_regular_file(ignored)) {
      throw Refused("the folder " + target.string() + " holds " + entry.path().filename().string() +
                    ", which is no frame_NNNNN.png: choose a new or empty folder for the frames");
    }
    holds_frames = true;
  }
  if (error) throw Refused("cannot read the folder " + target.string() + ": " + error.message());
  if (holds_frames && ::access(target.c_str(), W_OK | X_OK) != 0)
    throw Refused("the frames in the folder " + target.string() + " cannot be removed: " + std::strerror(errno) +
                  kChooseAnother);
  check_replaceable(target);
}

}  // namespace fastvideo::host
