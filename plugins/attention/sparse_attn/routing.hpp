// Which key blocks a block of queries visits: the definition, shared by all implementations.
//
// Queries are cut into blocks of `rows` tokens and keys into blocks of `width`, and each block into four parts. The
// score of a part of queries and a part of keys is the scaled product of their means over the tokens that exist. For a
// part of queries, a part of keys weighs as many exponentials of that score as it has tokens; a key block's share of
// all weights, averaged over the four parts of queries, is its estimated mass. A block of queries visits its own
// tokens, sinks and the tokens beside the video, and then the key blocks of the largest mass, of equal masses the
// first: until their number is that of wanted(), or until together they hold `mass`.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/host_device.hpp"

namespace fastvideo::sparse {

/// Parts of a block.
constexpr int kParts = 4;

struct Routing {
  int rows, width;    ///< tokens of a block of queries and of keys, multiples of kParts
  int queries, keys;  ///< of the site
  int before, after;  ///< tokens beside the video: they are seen by all queries and see all keys
  int sinks;          ///< tokens behind those before the video that all queries see
  float share;        ///< of the key blocks; 0: unused
  float mass;         ///< of the estimated attention; 0: unused

  FV_HOST_DEVICE int query_blocks() const { return hopper::ceil_div(queries, rows); }
  FV_HOST_DEVICE int key_blocks(int existing_keys) const { return hopper::ceil_div(existing_keys, width); }

  /// Whether a block of queries visits all key blocks, whatever their mass.
  FV_HOST_DEVICE bool visits_all(int query_block) const {
    const int first = query_block * rows, end = first + rows < queries ? first + rows : queries;
    return first < before || end > queries - after;
  }

  /// Whether a block of queries visits a key block whatever its mass: its own tokens, sinks, tokens beside the video,
  /// of the first `existing_keys` keys.
  FV_HOST_DEVICE bool always(int query_block, int key_block, int existing_keys) const {
    const int first = key_block * width, end = first + width < existing_keys ? first + width : existing_keys;
    if (first < before + sinks || end > keys - after) return true;
    return first < (query_block + 1) * rows && end > query_block * rows;
  }

  /// The number of key blocks to visit: the share of all, rounded, at least one.
  FV_HOST_DEVICE int wanted(int blocks) const {
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): of a positive number, and the same on the host and on a device
    const int nearest = static_cast<int>(share * static_cast<float>(blocks) + 0.5F);
    return nearest < 1 ? 1 : nearest > blocks ? blocks : nearest;
  }
};

}  // namespace fastvideo::sparse
