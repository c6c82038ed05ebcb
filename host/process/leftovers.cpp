#include "host/process/leftovers.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace fastvideo::host {
namespace {

// Signal handlers read these tables: fixed memory that is never freed, and lock-free states.
enum SlotState : int { kSlotFree, kSlotClaimed, kSlotNoted };

struct PathSlot {
  std::atomic<int> state{kSlotFree};
  pid_t owner = 0;
  char path[PATH_MAX] = {};
};

struct GroupSlot {
  std::atomic<int> state{kSlotFree};
  pid_t owner = 0;
  pid_t group = 0;
};

std::array<PathSlot, 32> path_slots;
std::array<GroupSlot, 32> group_slots;

template <class Slots, class Fill>
int claim_slot(Slots& slots, Fill&& fill) noexcept {
  for (size_t i = 0; i < slots.size(); ++i) {
    int expected = kSlotFree;
    if (!slots[i].state.compare_exchange_strong(expected, kSlotClaimed)) continue;
    slots[i].owner = ::getpid();
    fill(slots[i]);
    slots[i].state.store(kSlotNoted);
    return static_cast<int>(i);
  }
  return -1;
}

// opendir allocates, which a signal handler may not: the system's own call then.
bool unlink_entries(int folder) noexcept {
  alignas(dirent64) char buffer[4096];
  bool any = false;
  for (;;) {
    const long count = ::syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (count <= 0) return any;
    for (long at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        any = ::unlinkat(folder, entry->d_name, 0) == 0 || any;
      at += entry->d_reclen;
    }
  }
}

void remove_path(const char* path) noexcept {
  if (::unlink(path) == 0 || errno == ENOENT) return;
  const int folder = ::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return;
  // Entries may be passed over while others go: again from the start until nothing is found.
  while (unlink_entries(folder)) ::lseek(folder, 0, SEEK_SET);
  ::close(folder);
  ::rmdir(path);
}

}  // namespace

Leftover::Leftover(const std::filesystem::path& path) noexcept {
  if (path.native().size() >= PATH_MAX) return;
  slot_ =
      claim_slot(path_slots, [&](PathSlot& slot) { std::memcpy(slot.path, path.c_str(), path.native().size() + 1); });
}

void Leftover::forget() noexcept {
  if (slot_ >= 0) path_slots[static_cast<size_t>(slot_)].state.store(kSlotFree);
  slot_ = -1;
}

void LeftoverGroup::note(pid_t group) noexcept {
  slot_ = claim_slot(group_slots, [&](GroupSlot& slot) { slot.group = group; });
}

void LeftoverGroup::forget() noexcept {
  if (slot_ >= 0) group_slots[static_cast<size_t>(slot_)].state.store(kSlotFree);
  slot_ = -1;
}

void remove_leftovers() noexcept {
  const int saved_errno = errno;
  const pid_t self = ::getpid();
  for (const GroupSlot& slot : group_slots)
    if (slot.state.load() == kSlotNoted && slot.owner == self) ::kill(-slot.group, SIGKILL);
  for (const PathSlot& slot : path_slots)
    if (slot.state.load() == kSlotNoted && slot.owner == self) remove_path(slot.path);
  errno = saved_errno;
}

}  // namespace fastvideo::host
