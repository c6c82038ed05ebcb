// What the Hopper kernel walks: lists of query blocks and key blocks for every window of a plan, as one piece of
// memory.
#pragma once

#include <vector>

#include "plugins/attention/common/hopper/listed_tiles.hpp"
#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {

/// The lists of a call, in device memory.
struct Lists {
  const hopper::QueryBlock* query_blocks;
  int query_block_count;
  const hopper::KeyBlock* key_blocks;
  const hopper::KeyList* lists;
  int lists_of_window;
  const uint16_t* windows;  ///< of the call's heads
};

/// Host work only.
class Tables {
 public:
  /// rows, width: queries and keys of the kernel's blocks. Throws Refused where the lists would be too long.
  Tables(const SitePlan& plan, int rows, int width);

  /// What lies in device memory, from a multiple of 256 bytes on.
  const std::vector<unsigned char>& image() const { return image_; }

  /// The lists of a call. base: where the image lies.
  Lists at(const void* base, const fv_attention_args& args) const;

 private:
  template <class T>
  size_t append(const std::vector<T>& items);

  const SitePlan& plan_;
  std::vector<unsigned char> image_;
  size_t query_blocks_ = 0, key_blocks_ = 0, lists_ = 0, windows_ = 0;  // offsets
  int query_block_count_ = 0, lists_of_window_ = 0;
};

}  // namespace fastvideo::sliding_tile
