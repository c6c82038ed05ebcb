// Query tiles whose key blocks were chosen before the kernel started, as lists in device memory: the policy of
// SPARSE_ATTN on the shared main loop.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::sparse {

struct RoutedTile : hopper::QueryTile {
  int row;  ///< of the lists
};

/// Query tiles head after head, so that tiles at work at the same time are neighbours. kDrawn_: blocks draw tiles one
/// by one, where tiles differ in length; otherwise each of n blocks takes every n-th tile.
template <bool kDrawn_>
struct RoutedScheduler {
  using Tile = RoutedTile;
  static constexpr bool kDrawn = kDrawn_;
  static constexpr bool kInPieces = false;
  int queries, heads, batch;
  int rows;           ///< of a tile
  bool last_first;    ///< the last tiles of a head first: tiles with text behind the video visit every key block
  unsigned* counter;  ///< in device memory, 0 before and after every launch

  FV_HOST_DEVICE int tiles_of_head() const { return hopper::ceil_div(queries, rows); }
  FV_HOST_DEVICE int jobs() const { return tiles_of_head() * heads * batch; }
  FV_HOST_DEVICE RoutedTile tile(int job) const {
    const int per_head = tiles_of_head(), head = job / per_head;
    const int of_head = last_first ? per_head - 1 - job % per_head : job % per_head;
    return {{of_head * rows, head % heads, head / heads}, head * per_head + of_head};
  }
  FV_HOST_DEVICE int end_of(hopper::QueryTile) const { return queries; }
};

/// The listed blocks of kWidth keys of a tile, from the last to the first: only the last of all may be partial.
template <int kWidth, bool kDrawn>
struct RoutedKeyBlocks {
  struct Data {
    const uint16_t* lists;       ///< [batch, head, tile, stride]: numbers of key blocks, descending
    const int* counts;           ///< [batch, head, tile]
    int stride;                  ///< of the lists
    const int32_t* key_lengths;  ///< nullptr, or [batch]: keys that exist for a batch row
    int key_length;              ///< of the tensor
  };
  using Scheduler = RoutedScheduler<kDrawn>;
  static constexpr bool kOnlyFirstIsPartial = true;
  const uint16_t* list;
  int blocks, keys, key_length;

  FV_HOST_DEVICE static RoutedKeyBlocks of(const Data& data, RoutedTile tile) {
    int keys = data.key_length;
    if (data.key_lengths != nullptr) {
      const int own = data.key_lengths[tile.batch];
      keys = own < 0 ? 0 : own > keys ? keys : own;
    }
    return {data.lists + static_cast<int64_t>(tile.row) * data.stride, load(data.counts + tile.row), keys,
            data.key_length};
  }
  FV_HOST_DEVICE static bool may_be_empty(const Data& data) { return data.key_lengths != nullptr; }
  FV_HOST_DEVICE int count() const { return blocks; }
  FV_HOST_DEVICE hopper::KeyBlock at(int i) const {
    const int first = load(list + i) * kWidth;
    return {first, keys - first < kWidth ? keys - first : kWidth};
  }
  /// Behind the tensor the copy engine reads zeros; behind a batch row's keys lies unknown data of the caller.
  FV_HOST_DEVICE bool clear_behind(hopper::KeyBlock block) const { return block.first + block.count < key_length; }

 private:
  // The lists do not change while the kernel runs: the load needs not wait for stores before it.
  template <class T>
  FV_HOST_DEVICE static int load(const T* from) {
#ifdef __CUDA_ARCH__
    return __ldg(from);
#else
    return *from;
#endif
  }
};

}  // namespace fastvideo::sparse
