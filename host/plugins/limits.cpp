#include "host/plugins/limits.hpp"

#include <algorithm>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

bool runs_on(const Architecture& wanted, int architecture) {
  if (wanted.number == 0) return false;
  return wanted.and_later ? architecture >= wanted.number : architecture == wanted.number;
}

}  // namespace

std::optional<std::string> rule_out(const ItemLimits& limits, const DeviceFacts& device) {
  const bool cuda = device.device.type == FV_DEVICE_CUDA;
  const std::string kind = cuda ? "cuda" : "cpu";
  if (limits.devices && std::ranges::count(*limits.devices, kind) == 0)
    return "runs on " + comma_list(*limits.devices) + ", not on " + kind;
  if (cuda && limits.architectures) {
    for (const Architecture& one : *limits.architectures)
      if (runs_on(one, device.architecture)) return std::nullopt;
    return "needs " + comma_list(*limits.architectures, &Architecture::describe) + ", " + device_name(device.device) +
           " is sm" + std::to_string(device.architecture);
  }
  return std::nullopt;
}

std::optional<std::string> rule_out(const ItemLimits& limits, const fv_attention_site& site,
                                    const DeviceFacts& device) {
  if (auto reason = rule_out(limits, device)) return reason;
  const std::string role = site.role;
  const auto takes = [&](const std::string& pattern) { return matches_role(pattern, role); };
  if (limits.roles && std::none_of(limits.roles->begin(), limits.roles->end(), takes))
    return "serves " + comma_list(*limits.roles) + ", not " + role;
  if (limits.dtypes && std::ranges::count(*limits.dtypes, dtype_name(site.dtype)) == 0)
    return "takes " + comma_list(*limits.dtypes) + ", not " + dtype_name(site.dtype);
  if (limits.head_sizes && !limits.head_sizes->contains(site.head_size))
    return "takes head sizes " + limits.head_sizes->describe() + ", not " + std::to_string(site.head_size);
  if (limits.masks && (site.masks & ~*limits.masks) != 0)
    return "takes no mask of kind " + mask_names(site.masks & ~*limits.masks);
  return std::nullopt;
}

bool claims_role(const Item& item, std::string_view role) {
  return std::ranges::any_of(item.claims, [&](const auto& pattern) { return matches_role(pattern, role); });
}

std::string device_name(fv_device device) {
  if (device.type == FV_DEVICE_CPU) return "cpu";
  if (device.type == FV_DEVICE_CUDA) return "cuda:" + std::to_string(device.index);
  return "device type " + std::to_string(device.type);
}

std::string mask_names(uint32_t masks) {
  std::vector<std::string> out;
  for (const auto& [bit, name] : kMaskNames)
    if ((masks & bit) != 0) out.emplace_back(name);
  for (uint32_t bit = FV_MASK_BIAS << 1; bit != 0; bit <<= 1)
    if ((masks & bit) != 0) out.push_back("unknown mask " + std::to_string(bit));
  return comma_list(out);
}

std::string numerics_name(uint32_t numerics) {
  if (numerics == FV_NUMERICS_EXACT) return "exact";
  if (numerics == FV_NUMERICS_REORDERED) return "reordered";
  if (numerics == FV_NUMERICS_APPROXIMATE) return "approximate";
  return "unknown (" + std::to_string(numerics) + ")";
}

}  // namespace fastvideo::host
