#include "host/selection/plan_check.hpp"

#include <cstdint>

namespace fastvideo::host {
namespace {

constexpr std::uint32_t kKnownDepends = FV_DEPENDS_STEP | FV_DEPENDS_LAYER | FV_DEPENDS_BRANCH;
constexpr std::uint64_t kAddressable = std::uint64_t{1} << 47;  // by a process: no device of today has more

}  // namespace

std::string fault_of_plan_info(const fv_attention_plan_info& info, const DeviceFacts& device) {
  if (info.numerics > FV_NUMERICS_APPROXIMATE) return "its plan's numerics are " + numerics_name(info.numerics);
  if ((info.depends & ~kKnownDepends) != 0)
    return "its plan depends on " + std::to_string(info.depends) + ", of which the bits " +
           std::to_string(info.depends & ~kKnownDepends) + " are unknown";
  if (info.can_capture > 1)
    return "its plan's can_capture is " + std::to_string(info.can_capture) + ", neither 0 nor 1";
  const std::uint64_t most = device.memory > 0 ? device.memory : kAddressable;
  if (info.resident_bytes > most || info.scratch_bytes > most - info.resident_bytes)
    return "its plan asks for " + std::to_string(info.resident_bytes) + " resident and " +
           std::to_string(info.scratch_bytes) + " scratch bytes, and " +
           (device.memory > 0 ? device_name(device.device) + " has " + std::to_string(most) + " in all"
                              : "a process can address " + std::to_string(most));
  return {};
}

}  // namespace fastvideo::host
