// Whether what an attention plan says of itself can be at all.
#pragma once

#include <fastvideo/attention.h>

#include <string>

#include "host/plugins/limits.hpp"

namespace fastvideo::host {

/// What is wrong with a plan's words, whatever its backend had promised: empty, or a sentence that goes on behind the
/// backend's name. The order of the tokens is not looked at.
std::string fault_of_plan_info(const fv_attention_plan_info& info, const DeviceFacts& device);

}  // namespace fastvideo::host
