#include "host/services/parallel.hpp"

#include "host/hardware/hardware.hpp"

namespace fastvideo::host {

Parallel::Parallel(int threads) : own_(threads > 0 ? threads : cpu_info().threads) {
  service_.struct_size = sizeof service_;
  service_.reserved0 = 0;
  service_.context = this;
  service_.threads = [](void* context) -> int32_t {
    const auto& self = *static_cast<Parallel*>(context);
    const Lent* lent = self.lent_.load(std::memory_order_acquire);
    return lent != nullptr ? lent->threads(lent->pool) : self.own_.threads();
  };
  service_.parallel_for = [](void* context, int64_t count, int64_t grain, fv_parallel_body body, void* data) {
    auto& self = *static_cast<Parallel*>(context);
    if (const Lent* lent = self.lent_.load(std::memory_order_acquire))
      lent->parallel_for(lent->pool, count, grain, body, data);
    else
      self.own_.parallel_for(count, grain, body, data);
  };
  service_.lend = [](void* context, void* pool, int32_t (*threads_of)(void*),
                     void (*parallel_for)(void*, int64_t, int64_t, fv_parallel_body, void*)) {
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
