// What a plan holds on any device: the tiles of its site, and for each call the window of each head.
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
  /// Of a site that the settings do not refuse. The settings must outlive it.
  SitePlan(const Settings& settings, const fv_attention_site& site);

  const fv_attention_site& site() const { return site_.get(); }
  const TileGrid& tiles() const { return tiles_; }
  TokensBeside beside() const { return {site().tokens_before, site().tokens_after}; }

  /// Numerics, dependencies and the token order, which lives as long as this.
  void describe(fv_attention_plan_info& info) const;

  /// Checks a call, and whether the run has the steps that the settings are for. Throws std::invalid_argument or
  /// Refused.
  CallShape check(const fv_attention_args& args) const;

  /// Windows that may occur, the one that covers everything first.
  const std::vector<Extent>& windows() const { return windows_; }

  /// The window of a head of this process, in windows(). For a call that check has passed.
  size_t window_of(const fv_attention_args& args, int64_t head) const;

 private:
  const Settings& settings_;
  AttentionSiteCopy site_;
  TileGrid tiles_;
  std::vector<int64_t> token_order_;
  std::vector<Extent> windows_;
};

}  // namespace fastvideo::sliding_tile
