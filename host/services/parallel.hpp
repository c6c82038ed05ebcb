// The parallel service: one pool of CPU threads a process, ours or the one that a framework lends.
#pragma once

#include <fastvideo/abi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "host/services/thread_pool.hpp"

namespace fastvideo::host {

/// Any thread.
class Parallel {
 public:
  /// `threads` as --threads gives them; 0: as many as this process may use.
  explicit Parallel(int threads);
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;

  /// Lives as long as this object.
  const fv_parallel_service* service() const { return &service_; }

 private:
  struct Lent {
    void* pool;
    std::int32_t (*threads)(void* pool);
    void (*parallel_for)(void* pool, std::int64_t count, std::int64_t grain, fv_parallel_body body, void* data);
    bool operator==(const Lent&) const = default;
  };

  void lend(const Lent& lent);

  ThreadPool own_;
  std::atomic<const Lent*> lent_{nullptr};  // the newest one
  std::mutex lending_;
  std::vector<std::unique_ptr<Lent>> all_lent_;  // a loop may still be running in an earlier one
  fv_parallel_service service_;
};

}  // namespace fastvideo::host
