// Which query tile a block works on, and in which order.
#pragma once

#include <climits>

#include "plugins/attention/common/hopper/host_device.hpp"

namespace fastvideo::hopper {

/// Queries [first_query, first_query + rows of a tile) of one head of one batch row, cut at the last query.
struct QueryTile {
  int first_query, head, batch;
};

/// A static persistent schedule: each block takes every blocks-th tile. Tiles that are worked on at the same time are
/// neighbours along the queries of one head, so that the head's keys and values are read from device memory once and
/// from the second-level cache by all other tiles.
struct TileScheduler {
  using Tile = QueryTile;
  static constexpr bool kDrawn = false;     ///< jobs are shared out before the kernel starts
  static constexpr bool kInPieces = false;  ///< a job is a tile with all its keys
  int queries, heads, batch;
  int rows;            ///< of a tile
  int most = INT_MAX;  ///< tiles that are jobs
  int group = 1;       ///< blocks of a cluster, which work on one head: its tiles are a multiple, the last ones empty

  FV_HOST_DEVICE int tiles_of_head() const { return ceil_div(ceil_div(queries, rows), group) * group; }
  FV_HOST_DEVICE int tiles() const { return tiles_of_head() * heads * batch; }
  FV_HOST_DEVICE int jobs() const { return tiles() < most ? tiles() : most; }

  FV_HOST_DEVICE QueryTile tile(int job) const {
    const int per_head = tiles_of_head();
    const int of_head = job % per_head, head = job / per_head;
    return {of_head * rows, head % heads, head / heads};
  }

  /// Queries of a tile end before this one.
  FV_HOST_DEVICE int end_of(QueryTile) const { return queries; }
};

}  // namespace fastvideo::hopper
