#include "host/services/thread_pool.hpp"

#include <algorithm>
#include <system_error>

namespace fastvideo::host {
namespace {

// Ranges a thread gets on average, so that one that is held up delays the others little.
constexpr int64_t kRangesPerThread = 4;

thread_local bool inside_a_loop = false;

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(std::max(threads, 1)) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  loop_came_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, fv_parallel_body body, void* data) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  std::unique_lock<std::mutex> ours(one_loop_, std::defer_lock);
  if (threads_ == 1 || count <= grain || inside_a_loop || !ours.try_lock()) {
    body(data, 0, count);
    return;
  }
  const int64_t ranges = threads_ * kRangesPerThread;
  Loop loop{count, std::max(grain, (count + ranges - 1) / ranges), body, data};
  {
    const std::lock_guard lock(mutex_);
    start_threads();
    loop_ = &loop;
    ++loops_;
  }
  loop_came_.notify_all();
  work_on(loop);
  std::unique_lock lock(mutex_);
  loop_ = nullptr;  // whoever wakes now comes too late to join
  worker_left_.wait(lock, [this] { return working_ == 0; });
}

void ThreadPool::work_on(Loop& loop) {
  inside_a_loop = true;
  for (;;) {
    const int64_t begin = loop.next.fetch_add(loop.chunk, std::memory_order_relaxed);
    if (begin >= loop.count) break;
    loop.body(loop.data, begin, std::min(begin + loop.chunk, loop.count));
  }
  inside_a_loop = false;
}

void ThreadPool::start_threads() {
  try {
    while (static_cast<int>(workers_.size()) < threads_ - 1) workers_.emplace_back([this] { worker(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: the loop is done by those that there are.
  }
}

void ThreadPool::worker() {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    loop_came_.wait(lock, [&] { return ending_ || (loop_ != nullptr && loops_ != seen); });
    if (ending_) return;
    seen = loops_;
    Loop& loop = *loop_;
    ++working_;
    lock.unlock();
    work_on(loop);
    lock.lock();
    if (--working_ == 0) worker_left_.notify_one();
  }
}

}  // namespace fastvideo::host
