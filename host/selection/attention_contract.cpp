#include "host/selection/attention_contract.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fastvideo/attention.hpp>
#include <stdexcept>
#include <string>

#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

constexpr uint32_t kMostInputs = 4096;  // a count beyond is one that was not written
using detail::kKnownMasks, detail::kKnownRequirements;
constexpr uint32_t kKnownDepends = FV_DEPENDS_STEP | FV_DEPENDS_LAYER | FV_DEPENDS_BRANCH;
constexpr uint64_t kAddressable = uint64_t{1} << 47;  // by a process: no device of today has more

bool is_type(fv_dtype dtype) {
  return (dtype.code <= FV_FLOAT || dtype.code == FV_BFLOAT || dtype.code == FV_BOOL) && dtype.bits > 0 &&
         dtype.lanes > 0;
}

// What of it is not in the ABI that this host shares with the pipeline.
std::string unknown_in(const fv_attention_site& site) {
  if (site.device.type != FV_DEVICE_CPU && site.device.type != FV_DEVICE_CUDA)
    return "is on " + device_name(site.device) + ", which is unknown";
  if (!is_type(site.dtype)) return "is of " + dtype_name(site.dtype) + ", which is no type";
  if ((site.masks & ~kKnownMasks) != 0) return "has the " + mask_names(site.masks & ~kKnownMasks);
  if ((site.require & ~kKnownRequirements) != 0)
    return "has the unknown requirement " + std::to_string(site.require & ~kKnownRequirements);
  return {};
}

}  // namespace

void require_possible(const fv_attention_site* site) {
  if (site == nullptr) throw std::runtime_error("an attention site is NULL");
  constexpr size_t kBytes = offsetof(fv_attention_site, steps);  // before anything was appended
  if (site->struct_size < kBytes)
    throw std::runtime_error("an attention site has " + std::to_string(site->struct_size) + " bytes, this ABI needs " +
                             std::to_string(kBytes));
  if (site->role == nullptr || *site->role == '\0') throw std::runtime_error("an attention site has no role");
  const std::string who = "the attention site " + std::string(site->role);
  if (const std::string unknown = unknown_in(*site); !unknown.empty()) throw std::runtime_error(who + " " + unknown);
  const auto require = [&](const char* what, int64_t number, int64_t least) {
    if (number < least)
      throw std::runtime_error(who + " has " + what + " " + std::to_string(number) + ", at least " +
                               std::to_string(least) + " is possible");
  };
  require("the head size", site->head_size, 1);
  require("the number of key heads", site->kv_heads, 1);
  require("the number of query heads", site->query_heads, 1);
  require("the number of rows", site->batch, 1);
  require("a query length of", site->query_length, 0);
  require("a key length of", site->key_length, 0);
  for (const int64_t side : site->grid) require("a grid side of", side, 0);
  if (site->query_heads % site->kv_heads != 0)
    throw std::runtime_error(who + " has " + std::to_string(site->query_heads) + " query heads, no multiple of its " +
                             std::to_string(site->kv_heads) + " key heads");
  if (!std::isfinite(site->scale) || site->scale <= 0)
    throw std::runtime_error(who + " has a scale of " + std::to_string(site->scale) +
                             "; scales are finite and above 0");
  if ((site->masks & FV_MASK_BOOLEAN) != 0 && (site->masks & FV_MASK_BIAS) != 0)
    throw std::runtime_error(who + " has a boolean mask and a bias; a call carries one of them");
  const auto is_named = [&](const char* const& name) { return name != nullptr; };
  if (site->input_count > kMostInputs || (site->input_count > 0 && site->inputs == nullptr) ||
      !std::all_of(site->inputs, site->inputs + site->input_count, is_named))
    throw std::runtime_error(who + " counts " + std::to_string(site->input_count) +
                             " further inputs and does not name them");
  if (site->query_length == 0 || site->key_length == 0)
    throw RequestError(who + " has " + std::to_string(site->query_length) + " queries and " +
                       std::to_string(site->key_length) +
                       " keys: the request leaves no token to compute; ask for a larger or longer video");
}

std::string fault_of_plan_info(const fv_attention_plan_info& info, const DeviceFacts& device) {
  if (info.numerics > FV_NUMERICS_APPROXIMATE) return "its plan's numerics are " + numerics_name(info.numerics);
  if ((info.depends & ~kKnownDepends) != 0)
    return "its plan depends on " + std::to_string(info.depends) + ", of which the bits " +
           std::to_string(info.depends & ~kKnownDepends) + " are unknown";
  if (info.can_capture > 1)
    return "its plan's can_capture is " + std::to_string(info.can_capture) + ", neither 0 nor 1";
  const uint64_t most = device.memory > 0 ? device.memory : kAddressable;
  if (info.resident_bytes > most || info.scratch_bytes > most - info.resident_bytes)
    return "its plan asks for " + std::to_string(info.resident_bytes) + " resident and " +
           std::to_string(info.scratch_bytes) + " scratch bytes, and " +
           (device.memory > 0 ? device_name(device.device) + " has " + std::to_string(most) + " in all"
                              : "a process can address " + std::to_string(most));
  return {};
}

}  // namespace fastvideo::host
