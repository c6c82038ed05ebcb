// Which blocks of keys a query tile visits: the policy in which dense and sparse attention differ.
//
// A policy is a value, made for one tile, with
//   struct Data;                                          // the policy's launch parameters
//   using Scheduler;                                      // where query tiles come from: tile_scheduler.hpp
//   static KeyBlocks of(const Data&, Scheduler::Tile);    // the policy of a tile
//   static bool may_be_empty(const Data&);                // whether a tile may have no block
//   static constexpr bool kOnlyFirstIsPartial;            // whether all blocks after the first hold kWidth keys
//   int count() const;                                    // blocks to visit; may be 0
//   KeyBlock at(int i) const;                             // the i-th, 0 <= i < count()
//   bool clear_behind(KeyBlock) const;                    // whether values behind a partial block may be NaN
// Producer and consumers each walk the blocks by themselves and must see the same sequence.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/tile_scheduler.hpp"

namespace fastvideo::hopper {

/// Keys [first, first + count) of the sequence, count at least 1 and at most the width of a block.
struct KeyBlock {
  int first, count;
};

/// All keys from 0 to keys. The last block, which may be partial, comes first: so one block is masked before the loop
/// and no block inside it.
template <int kWidth>
struct DenseKeyBlocks {
  struct Data {
    const int32_t* key_lengths;  ///< nullptr, or [batch]: keys that exist for a batch row
    int key_length;              ///< of the tensor
  };
  using Scheduler = TileScheduler;
  static constexpr bool kOnlyFirstIsPartial = true;
  int keys, key_length;

  FV_HOST_DEVICE static DenseKeyBlocks of(const Data& data, QueryTile tile) {
    if (data.key_lengths == nullptr) return {data.key_length, data.key_length};
    const int keys = data.key_lengths[tile.batch];
    return {keys < 0 ? 0 : keys > data.key_length ? data.key_length : keys, data.key_length};
  }
  FV_HOST_DEVICE static bool may_be_empty(const Data& data) {
    return data.key_lengths != nullptr || data.key_length == 0;
  }
  FV_HOST_DEVICE int count() const { return ceil_div(keys, kWidth); }
  FV_HOST_DEVICE KeyBlock at(int i) const {
    const int first = (count() - 1 - i) * kWidth;
    return {first, keys - first < kWidth ? keys - first : kWidth};
  }
  /// Behind the tensor the copy engine reads zeros; behind a batch row's keys lies unknown data of the caller.
  FV_HOST_DEVICE bool clear_behind(KeyBlock block) const { return block.first + block.count < key_length; }
};

}  // namespace fastvideo::hopper
