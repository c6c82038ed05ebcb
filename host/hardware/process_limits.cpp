#include "host/hardware/process_limits.hpp"

#include <sys/resource.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace fastvideo::host {
namespace {

class MemoryAdvice {
 public:
  MemoryAdvice() noexcept {
    note(RLIMIT_AS, "address space", "-v");
    note(RLIMIT_DATA, "data segment", "-d");
  }
  const char* text() const noexcept { return text_; }

 private:
  void note(decltype(RLIMIT_AS) resource, const char* what, const char* flag) noexcept {
    rlimit limit = {};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur >= lowest_) return;
    lowest_ = limit.rlim_cur;
    std::snprintf(text_, sizeof text_, " (the %s of this process is limited to %llu MiB, ulimit %s: raise the limit)",
                  what, static_cast<unsigned long long>(lowest_ >> 20), flag);
  }

  rlim_t lowest_ = RLIM_INFINITY;
  char text_[160] = "";
};

}  // namespace

const char* memory_limit_advice() noexcept {
  static const MemoryAdvice advice;
  return advice.text();
}

std::optional<uint64_t> bytes_within_limits() {
  // proc(5): pages mapped, resident, shared, of text, 0, of data and stacks.
  uint64_t mapped = 0, data = 0, other = 0;
  if (!(std::ifstream("/proc/self/statm") >> mapped >> other >> other >> other >> other >> data)) return std::nullopt;
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::optional<uint64_t> left;
  for (const auto& [resource, used] : {std::pair(RLIMIT_AS, mapped * page), {RLIMIT_DATA, data * page}}) {
    rlimit limit = {};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    const uint64_t rest = limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, used);
    left = std::min(rest, left.value_or(rest));
  }
  return left;
}

}  // namespace fastvideo::host
