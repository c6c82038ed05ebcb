// The CPU threads of the process, until a framework lends its own.
#pragma once

#include <fastvideo/abi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace fastvideo::host {

/// Threads that work on one loop at a time. They start with the first loop that needs them, so that a process whose
/// framework lends its pool never has two.
class ThreadPool {
 public:
  /// `threads` work on a loop, the caller among them; at least 1.
  explicit ThreadPool(int threads);
  /// Waits for its threads; no loop may be running.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// As fv_parallel_service says. A nested loop, and one that comes while another thread's is running, runs on the
  /// calling thread. Any thread.
  void parallel_for(int64_t count, int64_t grain, fv_parallel_body body, void* data);

 private:
  struct Loop {
    int64_t count;
    int64_t chunk;
    fv_parallel_body body;
    void* data;
    std::atomic<int64_t> next{0};  // where the first range that nobody has taken begins
  };

  static void work_on(Loop& loop);
  void start_threads();
  void worker();

  const int threads_;
  std::mutex one_loop_;  // held by the thread whose loop is running
  std::mutex mutex_;     // guards what follows
  std::condition_variable loop_came_;
  std::condition_variable worker_left_;
  Loop* loop_ = nullptr;
  uint64_t loops_ = 0;  // number of the current loop: a worker joins each once
  int working_ = 0;     // workers inside the current loop
  bool ending_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace fastvideo::host
