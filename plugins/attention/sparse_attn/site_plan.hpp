// The part of a plan that does not depend on the device: its site, the order of its tokens, and which calls are dense.
#pragma once

#include <vector>

#include "plugins/attention/sparse_attn/settings.hpp"

namespace fastvideo::sparse {

/// Threads: one at a time.
class SitePlan {
 public:
  /// site: one that the settings do not refuse. The settings must outlive the plan. rows, width: see Routing.
  SitePlan(const Settings& settings, const fv_attention_site& site, int rows, int width);

  const fv_attention_site& site() const { return site_.get(); }
  const Routing& routing() const { return routing_; }

  /// Numerics, dependencies and the token order, which lives as long as this object.
  void describe(fv_attention_plan_info& info) const;

  /// Checks a call, and whether the run has the steps that the settings are for. Throws std::invalid_argument or
  /// Refused.
  CallShape check(const fv_attention_args& args) const;

  /// Whether every query sees every key in a call.
  bool is_dense(const fv_attention_args& args) const;

 private:
  const Settings& settings_;
  AttentionSiteCopy site_;
  Routing routing_;
  std::vector<int64_t> token_order_;
};

}  // namespace fastvideo::sparse
