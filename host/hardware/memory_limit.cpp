#include "host/hardware/memory_limit.hpp"

#include <sys/resource.h>

#include <cstdio>

namespace fastvideo {
namespace {

struct Advice {
  Advice() noexcept {
    rlimit limit = {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    std::snprintf(text, sizeof text,
                  " (the address space of this process is limited to %llu MiB, ulimit -v: raise the limit)",
                  static_cast<unsigned long long>(limit.rlim_cur >> 20));
  }
  char text[160] = "";
};

}  // namespace

const char* memory_limit_advice() noexcept {
  static const Advice advice;
  return advice.text;
}

}  // namespace fastvideo
