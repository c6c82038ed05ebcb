// The options of SPARSE_ATTN, and the sites and runs that it refuses on every device.
#pragma once

#include <fastvideo/attention.hpp>
#include <optional>
#include <string>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/common/number_set.hpp"
#include "plugins/attention/common/video/extent.hpp"
#include "plugins/attention/sparse_attn/routing.hpp"

namespace fastvideo::sparse {

/// The default share of key blocks that is visited.
constexpr double kDefaultShare = 0.25;

/// The default factor by which a block of keys must weigh less than others to be left out.
constexpr double kDefaultThreshold = 1e-3;

/// How blocks to leave out are found: before a call by pooled scores, or during the call by the scores themselves.
enum class Select { routed, threshold };

/// The options of plugin.toml that all implementations have.
struct Settings {
  /// Throws Refused.
  explicit Settings(const Options& options);

  Select select = Select::routed;
  double threshold = kDefaultThreshold;  ///< with Select::threshold: of a weight, over the largest
  double share = kDefaultShare;          ///< with Select::routed: of the key blocks; unused with a mass
  std::optional<double> mass;            ///< of the attention
  int64_t sink_tokens = 0, dense_steps = 0;
  NumberSet dense_layers;
  bool raster = false;         ///< the video's tokens stay in raster order
  std::optional<Extent> tile;  ///< box whose tokens lie together; chosen if it is not given

  /// Why no kernel of this plugin supports a site, if so.
  std::optional<std::string> refuses(const fv_attention_site& site) const;

  /// Why a run of `steps` steps cannot be served, if so; below 1: the number is not known.
  std::optional<std::string> refuses_steps(int64_t steps) const;

  /// The box of a site that is not refused and is not in raster order: the box that was named, or the box with the
  /// tokens of a key block that has the least surface, where the next frame counts as far as two columns.
  Extent tile_of(const fv_attention_site& site, int width) const;

  /// The parameters that decide which key blocks are visited. rows, width: tokens of a block of queries and of keys.
  Routing routing(const fv_attention_site& site, int rows, int width) const;

  /// Whether every query sees every key in all calls.
  bool is_dense() const { return select == Select::routed && mass.value_or(share) >= 1; }

  /// Share of the key blocks that will be visited, as far as it is known before a run.
  double expected_share() const { return select == Select::threshold ? 1 : mass.value_or(share); }

  /// FV_DEPENDS_*.
  uint32_t depends() const;

  /// For `explain`: "share 0.2 of blocks of 144 keys, tokens in boxes of 4x4x8".
  std::string describe(const fv_attention_site& site, int width) const;
};

}  // namespace fastvideo::sparse
