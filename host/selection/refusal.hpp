// What a user reads when a site or a name cannot be served: each candidate, and why not.
#pragma once

#include <fastvideo/attention.h>

#include <span>
#include <string>

#include "host/plugins/catalog.hpp"
#include "host/plugins/limits.hpp"
#include "host/selection/policy.hpp"

namespace fastvideo::host {

/// A candidate that is not taken, and why.
struct Ruled {
  std::string candidate;  ///< "FLASH_ATTN/sm90"
  std::string why_not;
};

/// The two columns as lines, indented by two spaces; lines of a reason that has several stand below each other.
std::string refusal_table(std::span<const Ruled> rows);

/// "1560 queries x 1560 keys, 12 heads of 128, bfloat16 on cpu, masks: none"
std::string describe_site(const fv_attention_site& site);

/// The refusal of a site, with the table and with what could serve it by the manifests.
std::string site_refusal(const AttentionRequest& request, const fv_attention_site& site, std::span<const Ruled> tried,
                         const Catalog& catalog, const DeviceFacts& device);

/// The refusal of a name that no plugin offers. `asked`: "--attention-backend".
std::string unknown_name_refusal(const std::string& name, const std::string& asked, std::string_view kind,
                                 const Catalog& catalog, const DeviceFacts& device);

}  // namespace fastvideo::host
