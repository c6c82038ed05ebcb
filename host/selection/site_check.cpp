#include "host/selection/site_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "host/error/error.hpp"
#include "host/plugins/limits.hpp"

namespace fastvideo::host {
namespace {

constexpr std::uint32_t kMostInputs = 4096;  // a count beyond is one that was not written
constexpr std::uint32_t kKnownMasks =
    FV_MASK_CAUSAL | FV_MASK_FRAME_CAUSAL | FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN | FV_MASK_BIAS;
constexpr std::uint64_t kKnownRequirements = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;

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
  constexpr std::size_t kBytes = offsetof(fv_attention_site, steps);  // before anything was appended
  if (site->struct_size < kBytes)
    throw std::runtime_error("an attention site has " + std::to_string(site->struct_size) + " bytes, this ABI needs " +
                             std::to_string(kBytes));
  if (site->role == nullptr || *site->role == '\0') throw std::runtime_error("an attention site has no role");
  const std::string who = "the attention site " + std::string(site->role);
  if (const std::string unknown = unknown_in(*site); !unknown.empty()) throw std::runtime_error(who + " " + unknown);
  const auto require = [&](const char* what, std::int64_t number, std::int64_t least) {
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
  for (const std::int64_t side : site->grid) require("a grid side of", side, 0);
  if (site->query_heads % site->kv_heads != 0)
    throw std::runtime_error(who + " has " + std::to_string(site->query_heads) + " query heads, no multiple of its " +
                             std::to_string(site->kv_heads) + " key heads");
  if (!std::isfinite(site->scale) || site->scale <= 0)
    throw std::runtime_error(who + " has the scale " + std::to_string(site->scale) + ", which is finite and above 0");
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

}  // namespace fastvideo::host
