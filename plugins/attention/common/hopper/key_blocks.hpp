// Which blocks of keys a query tile visits: the policy in which dense and sparse attention differ.
//
// A policy is a value with
//   static constexpr bool kOnlyFirstIsPartial;   // whether blocks after the first always hold kWidth keys
//   int count() const;                           // blocks to visit; may be 0
//   KeyBlock at(int i) const;                    // the i-th, 0 <= i < count()
// Producer and consumers each walk it by themselves and must see the same.
#pragma once

#include "plugins/attention/common/hopper/host_device.hpp"

namespace fastvideo::hopper {

/// Keys [first, first + count) of the sequence, count at least 1 and at most the width of a block.
struct KeyBlock {
  int first, count;
};

/// All keys from 0 to keys. The last block, which may be partial, comes first: so one block is masked before the loop
/// and none in it.
template <int kWidth>
struct DenseKeyBlocks {
  static constexpr bool kOnlyFirstIsPartial = true;
  int keys;

  FV_HOST_DEVICE int count() const { return ceil_div(keys, kWidth); }
  FV_HOST_DEVICE KeyBlock at(int i) const {
    const int first = (count() - 1 - i) * kWidth;
    return {first, keys - first < kWidth ? keys - first : kWidth};
  }
};

}  // namespace fastvideo::hopper
