// Which jobs a block takes: every n-th of n blocks, or, where jobs differ in length, the next free job. Then the
// producer draws jobs from a counter in device memory and hands them to the consumers through shared memory.
#pragma once

#include <type_traits>

#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/shape.cuh"
#include "plugins/attention/common/hopper/walk.hpp"

namespace fastvideo::hopper {

/// The producer's side. A block's first job is its own number; the counter gives out later jobs. The producer draws
/// when it has loaded all keys of a tile, which the consumers have yet to work on: no thread waits for the counter. All
/// blocks together draw exactly `jobs` times, each the last time in vain: then the counter, which wraps there, is 0
/// again for the next launch.
template <class S>
class DrawnJobs {
 public:
  __device__ DrawnJobs(SharedMemory<S>& shared, unsigned* counter, int jobs)
      : shared_(shared), counter_(counter), jobs_(jobs) {}

  __device__ int next(int) {
    const auto job = static_cast<int>(atomicInc(counter_, jobs_ - 1) + gridDim.x);
    shared_.jobs_empty[place_.stage].wait(place_.parity ^ 1);
    shared_.jobs[place_.stage] = job;
    shared_.jobs_full[place_.stage].arrive();
    place_.next();
    return job;
  }

 private:
  SharedMemory<S>& shared_;
  unsigned* counter_;
  int jobs_;
  RingPlace<kJobStages> place_;
};

/// The consumers' side. All threads of a warp call it together.
template <class S>
class HandedJobs {
 public:
  __device__ explicit HandedJobs(SharedMemory<S>& shared) : shared_(shared) {}

  __device__ int next(int) {
    shared_.jobs_full[place_.stage].wait(place_.parity);
    const int job = shared_.jobs[place_.stage];
    __syncwarp();
    if (threadIdx.x % 32 == 0) shared_.jobs_empty[place_.stage].arrive();
    place_.next();
    return job;
  }

 private:
  SharedMemory<S>& shared_;
  RingPlace<kJobStages> place_;
};

template <class S, class KeyBlocks>
using ProducerJobs = std::conditional_t<KeyBlocks::Scheduler::kDrawn, DrawnJobs<S>, StridedJobs>;
template <class S, class KeyBlocks>
using ConsumerJobs = std::conditional_t<KeyBlocks::Scheduler::kDrawn, HandedJobs<S>, StridedJobs>;

/// Gives the jobs after this block's first job, which is its own number.
template <class S, class KeyBlocks>
__device__ ProducerJobs<S, KeyBlocks> producer_jobs(const Parameters<KeyBlocks>& p, SharedMemory<S>& shared) {
  if constexpr (KeyBlocks::Scheduler::kDrawn)
    return {shared, p.scheduler.counter, p.scheduler.jobs()};
  else
    return {static_cast<int>(gridDim.x)};
}
template <class S, class KeyBlocks>
__device__ ConsumerJobs<S, KeyBlocks> consumer_jobs(const Parameters<KeyBlocks>&, SharedMemory<S>& shared) {
  if constexpr (KeyBlocks::Scheduler::kDrawn)
    return ConsumerJobs<S, KeyBlocks>(shared);
  else
    return {static_cast<int>(gridDim.x)};
}

template <class S, class KeyBlocks>
using ProducerWalk = Walk<KeyBlocks, ProducerJobs<S, KeyBlocks>>;
template <class S, class KeyBlocks>
using ConsumerWalk = Walk<KeyBlocks, ConsumerJobs<S, KeyBlocks>>;

}  // namespace fastvideo::hopper
