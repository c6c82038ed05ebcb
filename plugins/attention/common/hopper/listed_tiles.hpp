// Query tiles and key blocks out of lists in device memory: sparse attention whose tiles have any size and see any runs
// of keys, with separate lists for each window and a window for each head.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Queries [first, end), at most the rows of a kernel's tile, which see key blocks [keys_begin, keys_end) of an array.
struct alignas(16) QueryBlock {
  int first, end, keys_begin, keys_end;
};

/// A head, and the window whose query blocks the head has.
struct HeadWindow {
  uint16_t head, window;
};

/// Heads of a call, at most.
constexpr int kMostHeads = 256;

struct ListedTile : QueryTile {
  int end, keys_begin, keys_end;
};

/// Query blocks of every head and batch row: heads in the order given, and within a head in the order of its window's
/// list. Blocks draw jobs one by one as they finish, so the longest jobs should come first.
struct ListScheduler {
  using Tile = ListedTile;
  static constexpr bool kDrawn = true;
  static constexpr bool kInPieces = false;
  const QueryBlock* blocks;  ///< [window, count]
  int count, heads, batch;
  unsigned* counter;             ///< in device memory, 0 before and after every launch
  HeadWindow order[kMostHeads];  ///< [heads]

  FV_HOST_DEVICE int jobs() const { return count * heads * batch; }
  FV_HOST_DEVICE ListedTile tile(int job) const {
    const int row = job / count;
    const HeadWindow head = order[row / batch];
    const QueryBlock block = load(blocks + static_cast<int64_t>(head.window) * count + job % count);
    return {{block.first, head.head, row % batch}, block.end, block.keys_begin, block.keys_end};
  }
  FV_HOST_DEVICE int end_of(ListedTile tile) const { return tile.end; }

 private:
  FV_HOST_DEVICE static QueryBlock load(const QueryBlock* from) {
#ifdef __CUDA_ARCH__
    const int4 all = __ldg(reinterpret_cast<const int4*>(from));
    return {all.x, all.y, all.z, all.w};
#else
    return *from;
#endif
  }
};

/// Key blocks of a list are ascending. kLengths: keys beyond a batch row's length do not exist: blocks behind them are
/// left out, and the last block may lose some of its keys.
template <int kWidth, bool kLengths>
struct ListedKeyBlocks {
  struct Data {
    const KeyBlock* blocks;
    const int32_t* key_lengths;  ///< [batch]; unused without kLengths
  };
  using Scheduler = ListScheduler;
  static constexpr bool kOnlyFirstIsPartial = false;
  const KeyBlock* first;
  int blocks, keys;

  FV_HOST_DEVICE static ListedKeyBlocks of(const Data& data, ListedTile tile) {
    ListedKeyBlocks made{data.blocks + tile.keys_begin, tile.keys_end - tile.keys_begin, INT32_MAX};
    if constexpr (kLengths) {
      made.keys = data.key_lengths[tile.batch];
      made.blocks = made.existing();
    }
    return made;
  }
  FV_HOST_DEVICE static bool may_be_empty(const Data&) { return kLengths; }
  FV_HOST_DEVICE int count() const { return blocks; }
  FV_HOST_DEVICE KeyBlock at(int i) const {
    KeyBlock block = load(first + i);
    if (kLengths && keys - block.first < block.count) block.count = keys - block.first;
    return block;
  }
  /// Behind a run lie the keys of other tiles, or zeros; only behind a batch row's keys lies unknown data.
  FV_HOST_DEVICE bool clear_behind(KeyBlock block) const { return kLengths && block.first + kWidth > keys; }

 private:
  // Blocks that begin before the last key: found by bisection, since they are ascending.
  FV_HOST_DEVICE int existing() const {
    int from = 0, to = blocks;
    while (from < to) {
      const int middle = (from + to) / 2;
      if (load(first + middle).first < keys)
        from = middle + 1;
      else
        to = middle;
    }
    return from;
  }
  // The lists do not change while the kernel runs: the load needs not wait for stores before it.
  FV_HOST_DEVICE static KeyBlock load(const KeyBlock* from) {
#ifdef __CUDA_ARCH__
    const int2 both = __ldg(reinterpret_cast<const int2*>(from));
    return {both.x, both.y};
#else
    return *from;
#endif
  }
};

}  // namespace fastvideo::hopper
