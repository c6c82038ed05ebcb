// Whether a site that a pipeline announces can be one at all.
#pragma once

#include <fastvideo/attention.h>

namespace fastvideo::host {

/// Throws RequestError if there is nothing to compute at the site (a length of 0), and std::runtime_error if it breaks
/// the contract: it or its role is NULL, a size is below what it can be, a device, type or mask is none.
void require_possible(const fv_attention_site* site);

}  // namespace fastvideo::host
