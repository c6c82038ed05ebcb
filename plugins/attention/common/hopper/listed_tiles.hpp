// Query tiles and key blocks out of lists in device memory: sparse attention whose tiles have any size and see any runs
// of keys, another list of them for each window, and a window for each head.
#pragma once

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Queries [first, end), at most as many as a tile of the kernel has rows, whose keys are the list of that number.
struct QueryBlock {
  int first, end, list;
};

/// Key blocks [begin, end) of an array.
struct KeyList {
  int begin, end;
};

struct ListedTile : QueryTile {
  int end, list;
};

/// Query blocks of every head and batch row, in their order: those with the longest lists should come first.
struct ListScheduler {
  using Tile = ListedTile;
  const QueryBlock* blocks;
  int count, heads, batch;

  FV_HOST_DEVICE int jobs() const { return count * heads * batch; }
  FV_HOST_DEVICE ListedTile tile(int job) const {
    const QueryBlock block = blocks[job % count];
    const int head = job / count;
    return {{block.first, head % heads, head / heads}, block.end, block.list};
  }
  FV_HOST_DEVICE int end_of(ListedTile tile) const { return tile.end; }
};

/// Keys behind those of a batch row are left out of their blocks, which may leave a block none; a query whose first
/// block has none becomes NaN.
template <int kWidth>
struct ListedKeyBlocks {
  struct Data {
    const KeyBlock* blocks;
    const KeyList* lists;  ///< [window, list]
    int lists_of_window;
    const uint16_t* windows;     ///< [head]
    const int32_t* key_lengths;  ///< nullptr, or [batch]
  };
  using Scheduler = ListScheduler;
  static constexpr bool kOnlyFirstIsPartial = false;
  const Data* data;  ///< of the launch: a constant address, which takes no register
  int begin, blocks, batch;

  FV_HOST_DEVICE static ListedKeyBlocks of(const Data& data, ListedTile tile) {
    const KeyList list = data.lists[data.windows[tile.head] * data.lists_of_window + tile.list];
    return {&data, list.begin, list.end - list.begin, tile.batch};
  }
  FV_HOST_DEVICE static bool may_be_empty(const Data&) { return false; }
  FV_HOST_DEVICE int count() const { return blocks; }
  FV_HOST_DEVICE KeyBlock at(int i) const {
    KeyBlock block = load(data->blocks + begin + i);
    if (data->key_lengths != nullptr) {
      const int left = data->key_lengths[batch] - block.first;
      block.count = left < 0 ? 0 : left < block.count ? left : block.count;
    }
    return block;
  }
  /// Keys behind a run are those of other tiles, or zeros; only behind the keys of a batch row there may be anything.
  FV_HOST_DEVICE bool clear_behind(KeyBlock block) const {
    return data->key_lengths != nullptr && block.first + kWidth > data->key_lengths[batch];
  }

 private:
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
