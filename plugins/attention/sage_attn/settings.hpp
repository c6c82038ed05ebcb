// The options of SAGE_ATTN, and the sites and calls that it refuses on every device.
#pragma once

#include <fastvideo/attention.hpp>
#include <optional>
#include <string>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/common/number_set.hpp"

namespace fastvideo::sage {

/// The options of plugin.toml.
struct Settings {
  /// Throws Refused.
  explicit Settings(const Options& options);

  bool fp8_values;  ///< probabilities and values in e4m3, otherwise in the type of the inputs
  bool per_block;   ///< a scale for 64 queries or 128 keys, otherwise for the rows that a thread of the kernel holds
  bool smooth_k;    ///< keys less their mean over all tokens
  bool smooth_q;    ///< queries less their mean over 64 tokens
  NumberSet full_precision_layers, full_precision_steps;

  /// Why no kernel of this plugin supports a site, if so.
  std::optional<std::string> refuses(const fv_attention_site& site) const;

  /// Checks a call, and whether the run has the steps that the settings name. Throws std::invalid_argument or Refused.
  CallShape check(const fv_attention_site& site, const fv_attention_args& args) const;

  /// Whether a call is computed without quantisation.
  bool in_full_precision(const fv_attention_args& args) const;

  /// FV_DEPENDS_*.
  uint32_t depends() const;

  /// "int8_fp8_thread"
  std::string name() const;
};

}  // namespace fastvideo::sage
