// The layout of a routed call's workspace.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plugins/attention/sparse_attn/routing.hpp"

namespace fastvideo::sparse {

/// Offsets in bytes of the arrays, each a multiple of 256.
struct Workspace {
  size_t counter;      ///< one unsigned, for RoutedScheduler
  size_t counts;       ///< int [batch, head, query block]: key blocks visited
  size_t lists;        ///< uint16_t [batch, head, query block, key blocks]: which, descending
  size_t query_means;  ///< elements [batch, head, query part, head size]
  size_t key_means;    ///< elements [batch, key head, key part, head size]
  size_t bytes;        ///< of all
};

/// Parts of query_means and key_means: those of whole blocks, whether they exist or not.
inline Workspace workspace_of(const Routing& routing, int64_t batch, int64_t heads, int64_t kv_heads,
                              int64_t head_size) {
  const int64_t query_blocks = routing.query_blocks(), key_blocks = routing.key_blocks(routing.keys);
  Workspace made{};
  const auto take = [&](int64_t bytes) {
    const size_t at = made.bytes;
    made.bytes += (static_cast<size_t>(bytes) + 255) / 256 * 256;
    return at;
  };
  made.counter = take(4);
  made.counts = take(batch * heads * query_blocks * 4);
  made.lists = take(batch * heads * query_blocks * key_blocks * 2);
  made.query_means = take(batch * heads * query_blocks * kParts * head_size * 2);
  made.key_means = take(batch * kv_heads * key_blocks * kParts * head_size * 2);
  return made;
}

}  // namespace fastvideo::sparse
