// What SPARSE_ATTN can be asked for, and what it refuses on every device.
#pragma once

#include <fastvideo/attention.hpp>
#include <optional>
#include <string>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/common/number_set.hpp"
#include "plugins/attention/common/video/extent.hpp"
#include "plugins/attention/sparse_attn/routing.hpp"

namespace fastvideo::sparse {

/// Where nobody says how much is visited.
constexpr double kDefaultShare = 0.25;

/// By how much a block of keys must weigh less than others, where nobody says it.
constexpr double kDefaultThreshold = 1e-3;

/// How what is left out is found: before a call by pooled scores, or in it by the scores themselves.
enum class Select { kRouted, kThreshold };

/// The options of plugin.toml that all implementations have.
struct Settings {
  /// Throws Refused.
  explicit Settings(const Options& options);

  Select select = Select::kRouted;
  double threshold = kDefaultThreshold;  ///< with Select::kThreshold: of a weight, over the largest
  double share = kDefaultShare;          ///< with Select::kRouted: of the key blocks; unused with a mass
  std::optional<double> mass;            ///< of the attention
  int64_t sink_tokens = 0, dense_steps = 0;
  NumberSet dense_layers;
  bool raster = false;         ///< the video's tokens stay in raster order
  std::optional<Extent> tile;  ///< box whose tokens lie together; chosen if it is not given

  /// Why no kernel of this plugin takes a site, if so.
  std::optional<std::string> refuses(const fv_attention_site& site) const;

  /// Why a run of so many steps cannot be served, if so; fewer than one: nobody knows how many.
  std::optional<std::string> refuses_steps(int64_t steps) const;

  /// The box of a site that is not refused and is not in raster order: the one that was named, or that of as many
  /// tokens as a key block has that has the least surface, where the next frame is as far as two columns.
  Extent tile_of(const fv_attention_site& site, int width) const;

  /// What decides which key blocks are visited. rows, width: tokens of a block of queries and of keys.
  Routing routing(const fv_attention_site& site, int rows, int width) const;

  /// Whether everybody sees everything at all times.
  bool is_dense() const { return select == Select::kRouted && mass.value_or(share) >= 1; }

  /// Share of the key blocks that will be visited, as far as it is known before a run.
  double expected_share() const { return select == Select::kThreshold ? 1 : mass.value_or(share); }

  /// FV_DEPENDS_*.
  uint32_t depends() const;

  /// For `explain`: "share 0.2 of blocks of 144 keys, tokens in boxes of 4x4x8".
  std::string describe(const fv_attention_site& site, int width) const;
};

}  // namespace fastvideo::sparse
