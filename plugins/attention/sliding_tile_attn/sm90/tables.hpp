// The lists that the Hopper kernel walks: query blocks and key blocks for every window of a plan, in one piece of
// memory.
#pragma once

#include <vector>

#include "plugins/attention/common/hopper/listed_tiles.hpp"
#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {

/// The lists of a call, in device memory.
struct Lists {
  hopper::ListScheduler scheduler;  ///< of one batch row; the launcher fills in the number of batch rows
  const hopper::KeyBlock* key_blocks;
};

/// Work goes out longest first, so that no block of the kernel is left with a long tile at the end: heads by the
/// longest tile of their window, and within a head tiles by their key blocks; those of equal length stay neighbours.
/// Host work only.
class Tables {
 public:
  /// rows, width: queries and keys of the kernel's blocks. Throws Refused where the lists would be too long.
  Tables(const SitePlan& plan, int rows, int width);

  /// The content for device memory, 256-byte aligned. Launches change the counter in it.
  const std::vector<unsigned char>& image() const { return image_; }

  /// The lists of a call of `heads` heads, at most hopper::kMostHeads. base: the address of the image.
  Lists at(void* base, const fv_attention_args& args, int64_t heads) const;

 private:
  template <class T>
  size_t append(const std::vector<T>& items);

  const SitePlan& plan_;
  std::vector<unsigned char> image_;
  size_t query_blocks_ = 0, key_blocks_ = 0, counter_ = 0;  // offsets
  int query_block_count_ = 0;                               // of a window
  std::vector<std::pair<int64_t, int64_t>> lengths_;  // of each window, in key blocks: of the longest tile, of all
};

}  // namespace fastvideo::sliding_tile
