#include "host/services/thread_pool.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <utility>

#include "host/hardware/hardware.hpp"
#include "host/services/parallel.hpp"

namespace fastvideo::host {
namespace {

// The ranges of one loop, as its body saw them.
struct Ranges {
  std::mutex mutex;
  std::vector<std::pair<int64_t, int64_t>> seen;
  std::set<std::thread::id> threads;

  static void body(void* data, int64_t begin, int64_t end) {
    auto& self = *static_cast<Ranges*>(data);
    const std::lock_guard lock(self.mutex);
    self.seen.emplace_back(begin, end);
    self.threads.insert(std::this_thread::get_id());
  }
  // Empty if the ranges cover [0, count) once, each at least grain long but for the last.
  std::string fault(int64_t count, int64_t grain) {
    std::sort(seen.begin(), seen.end());
    int64_t at = 0;
    for (const auto& [begin, end] : seen) {
      if (begin != at) return "begins at " + std::to_string(begin) + ", not at " + std::to_string(at);
      if (end <= begin) return "is empty";
      if (end - begin < grain && end != count) return "is shorter than the grain";
      at = end;
    }
    return at == count ? "" : "ends at " + std::to_string(at);
  }
};

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int64_t count : {0, 1, 2, 7, 64, 1000, 12345})
      for (const int64_t grain : {0, 1, 16, 100000}) {
        Ranges ranges;
        pool.parallel_for(count, grain, Ranges::body, &ranges);
        EXPECT_EQ(ranges.fault(count, std::max<int64_t>(grain, 1)), "") << threads << ' ' << count << ' ' << grain;
      }
  }
}

TEST(ThreadPool, ManyLoopsFollowEachOther) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < 20000; ++i)
    pool.parallel_for(
        16, 1,
        [](void* data, int64_t begin, int64_t end) {
          static_cast<std::atomic<int64_t>*>(data)->fetch_add(end - begin);
        },
        &sum);
  EXPECT_EQ(sum.load(), 16 * 20000);
}

TEST(ThreadPool, ANestedLoopRunsOnItsCaller) {
  ThreadPool pool(4);
  struct Nest {
    ThreadPool* pool;
    std::atomic<int> strangers{0};
    std::atomic<int64_t> sum{0};
  } nest{&pool};
  pool.parallel_for(
      32, 1,
      [](void* data, int64_t begin, int64_t end) {
        auto& outer = *static_cast<Nest*>(data);
        for (int64_t i = begin; i < end; ++i) {
          Ranges inner;
          outer.pool->parallel_for(100, 1, Ranges::body, &inner);
          if (!inner.fault(100, 1).empty() || inner.threads != std::set{std::this_thread::get_id()}) ++outer.strangers;
          ++outer.sum;
        }
      },
      &nest);
  EXPECT_EQ(nest.strangers.load(), 0);
  EXPECT_EQ(nest.sum.load(), 32);
}

TEST(ThreadPool, SeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  callers.reserve(4);
  std::atomic<int> faults{0};
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        Ranges ranges;
        pool.parallel_for(200, 3, Ranges::body, &ranges);
        if (!ranges.fault(200, 3).empty()) ++faults;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(faults.load(), 0);
}

// The worker's part of a loop must be over when parallel_for returns: the body's data lie on the caller's stack.
TEST(ThreadPool, UsesItsThreads) {
  ThreadPool pool(2);
  struct Meeting {
    std::atomic<int> arrived{0};
  } meeting;
  // Each of two ranges waits for the other: this ends only if two threads work at the same time.
  pool.parallel_for(
      2, 1,
      [](void* data, int64_t begin, int64_t end) {
        auto& m = *static_cast<Meeting*>(data);
        m.arrived += static_cast<int>(end - begin);
        while (m.arrived < 2) std::this_thread::yield();
      },
      &meeting);
  EXPECT_EQ(meeting.arrived.load(), 2);
}

TEST(Parallel, ThreadsAreThoseAskedForOrThoseOfTheMachine) {
  const Parallel three(3), all(0);
  EXPECT_EQ(three.service()->threads(three.service()->context), 3);
  EXPECT_EQ(all.service()->threads(all.service()->context), cpu_info().threads);
  EXPECT_GE(cpu_info().threads, 1);
  EXPECT_LE(cpu_info().threads, static_cast<int>(std::thread::hardware_concurrency()));
}

TEST(Parallel, ALentPoolTakesOver) {
  const Parallel parallel(2);
  const fv_parallel_service& service = *parallel.service();
  struct Lent {
    int loops = 0;
  } lent;
  service.lend(
      service.context, &lent, [](void*) { return 7; },
      [](void* pool, int64_t count, int64_t, fv_parallel_body body, void* data) {
        ++static_cast<Lent*>(pool)->loops;
        body(data, 0, count);
      });
  EXPECT_EQ(service.threads(service.context), 7);
  Ranges ranges;
  service.parallel_for(service.context, 10, 1, Ranges::body, &ranges);
  EXPECT_EQ(lent.loops, 1);
  EXPECT_EQ(ranges.fault(10, 1), "");
}

}  // namespace
}  // namespace fastvideo::host
