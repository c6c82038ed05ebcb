// The part of a plan that does not depend on the device: the tiles of its site, and for each call the window of each
// head.
#pragma once

#include <memory>
#include <vector>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/sliding_tile_attn/pattern.hpp"
#include "plugins/attention/sliding_tile_attn/settings.hpp"

namespace fastvideo::sliding_tile {

/// Threads: one at a time.
class SitePlan {
 public:
  /// site: one that the settings do not refuse. The settings must outlive the plan.
  SitePlan(const Settings& settings, const fv_attention_site& site);

  const fv_attention_site& site() const { return site_.get(); }
  const TileGrid& tiles() const { return tiles_; }
  TokensBeside beside() const { return {site().tokens_before, site().tokens_after}; }

  /// Numerics, dependencies and the token order, which lives as long as this object.
  void describe(fv_attention_plan_info& info) const;

  /// Checks a call, and whether the run has the steps that the settings are for. Throws std::invalid_argument or
  /// Refused.
  CallShape check(const fv_attention_args& args) const;

  /// Windows that may occur, the window that covers everything first.
  const std::vector<Extent>& windows() const { return windows_; }

  /// The windows of the model's heads, one row after the other, and where in them those of a call's heads begin. For a
  /// call that check has passed.
  const std::vector<uint16_t>& window_rows() const { return window_rows_; }
  size_t window_row(const fv_attention_args& args) const;

  /// The window of a head of this process, in windows().
  size_t window_of(const fv_attention_args& args, int64_t head) const {
    return window_rows_[window_row(args) + static_cast<size_t>(head)];
  }

  /// Whether each of the first `heads` heads of this process sees everything.
  bool is_dense(const fv_attention_args& args, int64_t heads) const;

 private:
  size_t row_length() const { return static_cast<size_t>(site().total_heads); }

  const Settings& settings_;
  AttentionSiteCopy site_;
  TileGrid tiles_;
  std::vector<int64_t> token_order_;
  std::vector<Extent> windows_;
  std::vector<uint16_t> window_rows_;  // the first row: all heads see everything
};

}  // namespace fastvideo::sliding_tile
