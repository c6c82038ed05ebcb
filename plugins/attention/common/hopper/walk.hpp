// The walk of a block through its work: query tile after query tile, in each key block after key block. Producer and
// consumers each walk by themselves and see the same sequence.
#pragma once

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Jobs shared out before the kernel starts: every stride-th from the first on. The interface of such a class:
///   int next(int job)   the job after `job`; no job follows the scheduler's last
struct StridedJobs {
  int stride;
  FV_HOST_DEVICE int next(int job) const { return job + stride; }
};

/// KeyBlocks: the policy of key_blocks.hpp. Tiles without key blocks are stepped over.
template <class KeyBlocks, class Jobs = StridedJobs>
class Walk {
 public:
  using Scheduler = typename KeyBlocks::Scheduler;
  using Tile = typename Scheduler::Tile;

  /// Walks through first_job and the jobs that `next` gives after it.
  FV_HOST_DEVICE Walk(const Scheduler& scheduler, const typename KeyBlocks::Data& data, int first_job, Jobs next)
      : scheduler_(scheduler), data_(data), jobs_(scheduler.jobs()), job_(first_job), next_(next) {
    enter();
  }

  /// Whether the walk has passed all tiles.
  FV_HOST_DEVICE bool done() const { return job_ >= jobs_; }

  FV_HOST_DEVICE Tile tile() const { return tile_; }
  FV_HOST_DEVICE const KeyBlocks& blocks() const { return blocks_; }

  /// The current key block, and whether it is the last of its tile.
  FV_HOST_DEVICE KeyBlock block() const { return blocks_.at(index_); }
  FV_HOST_DEVICE bool last() const { return index_ == count_ - 1; }

  /// Goes on within the tile; not from its last block.
  FV_HOST_DEVICE void next_block() { ++index_; }

  /// Goes on to the first block of the next tile.
  FV_HOST_DEVICE void next_tile() {
    job_ = next_.next(job_);
    enter();
  }

 private:
  // Goes on to the first tile, from the current job, that has key blocks.
  FV_HOST_DEVICE void enter() {
    index_ = 0;
    for (; job_ < jobs_; job_ = next_.next(job_)) {
      tile_ = scheduler_.tile(job_);
      blocks_ = KeyBlocks::of(data_, tile_);
      count_ = blocks_.count();
      if (count_ > 0) return;
    }
  }

  const Scheduler& scheduler_;
  const typename KeyBlocks::Data& data_;
  int jobs_, job_;
  Jobs next_;
  int index_ = 0, count_ = 0;
  Tile tile_{};
  KeyBlocks blocks_;
};

}  // namespace fastvideo::hopper
