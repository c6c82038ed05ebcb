// What the header promises of attention, checked: of the sites that a pipeline announces, and of plans.
#pragma once

#include <fastvideo/attention.h>

#include <string>

#include "host/plugins/limits.hpp"

namespace fastvideo::host {

/// Throws RequestError if there is nothing to compute at the site (a length of 0), and std::runtime_error if it breaks
/// the contract: it or its role is NULL, a size is below what it can be, a device, type or mask is none.
void require_possible(const fv_attention_site* site);

/// What is wrong with a plan's words, whatever its backend had promised: empty, or a sentence that goes on behind the
/// backend's name. The order of the tokens is not looked at.
std::string fault_of_plan_info(const fv_attention_plan_info& info, const DeviceFacts& device);

}  // namespace fastvideo::host
