#include "host/services/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace fastvideo::host {
namespace {

// "max 100000" or "150000 100000": microseconds of CPU in each period.
double quota_of_control_group() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                         : static_cast<int>(std::thread::hardware_concurrency());
  if (const double quota = quota_of_control_group(); quota > 0)
    cpus = std::min(cpus, static_cast<int>(std::ceil(quota)));
  return std::max(cpus, 1);
}

Parallel::Parallel(int threads) : own_(threads > 0 ? threads : usable_cpus()) {
  service_.struct_size = sizeof service_;
  service_.reserved0 = 0;
  service_.context = this;
  service_.threads = [](void* context) -> std::int32_t {
    const auto& self = *static_cast<Parallel*>(context);
    const Lent* lent = self.lent_.load(std::memory_order_acquire);
    return lent != nullptr ? lent->threads(lent->pool) : self.own_.threads();
  };
  service_.parallel_for = [](void* context, std::int64_t count, std::int64_t grain, fv_parallel_body body, void* data) {
    auto& self = *static_cast<Parallel*>(context);
    if (const Lent* lent = self.lent_.load(std::memory_order_acquire))
      lent->parallel_for(lent->pool, count, grain, body, data);
    else
      self.own_.parallel_for(count, grain, body, data);
  };
  service_.lend = [](void* context, void* pool, std::int32_t (*threads_of)(void*),
                     void (*parallel_for)(void*, std::int64_t, std::int64_t, fv_parallel_body, void*)) {
    static_cast<Parallel*>(context)->lend({pool, threads_of, parallel_for});
  };
}

void Parallel::lend(const Lent& lent) {
  const std::lock_guard lock(lending_);
  if (const Lent* now = lent_.load(std::memory_order_relaxed); now != nullptr && *now == lent) return;  // by each run
  all_lent_.push_back(std::make_unique<Lent>(lent));
  lent_.store(all_lent_.back().get(), std::memory_order_release);
}

}  // namespace fastvideo::host
