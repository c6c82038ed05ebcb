// Ruling candidates out by their manifests, before anything is opened.
#pragma once

#include <fastvideo/attention.h>
#include <fastvideo/tensor.h>

#include <array>
#include <fastvideo/tensor_view.hpp>  // dtype_name
#include <optional>
#include <string>
#include <utility>

#include "host/plugins/manifest.hpp"

namespace fastvideo::host {

/// A device with what manifests ask about it.
struct DeviceFacts {
  fv_device device{FV_DEVICE_CPU, 0};
  int architecture = 0;  ///< of a CUDA device: 90 for sm90
  uint64_t memory = 0;   ///< bytes that it has in all; 0 where nobody looked
};

/// Why an item cannot serve a device ("runs on cuda, not on cpu"), or nothing if its limits allow it.
std::optional<std::string> rule_out(const ItemLimits& limits, const DeviceFacts& device);

/// Why an attention item cannot serve a site, or nothing. The site's device is that of `device`.
std::optional<std::string> rule_out(const ItemLimits& limits, const fv_attention_site& site, const DeviceFacts& device);

/// Whether the item claims a role: then choosing it globally governs that role.
bool claims_role(const Item& item, std::string_view role);

/// "cpu" or "cuda:0"
std::string device_name(fv_device device);
/// The masks of the ABI as manifests and messages call them.
inline constexpr std::array<std::pair<uint32_t, const char*>, 5> kMaskNames = {{{FV_MASK_CAUSAL, "causal"},
                                                                                {FV_MASK_FRAME_CAUSAL, "frame_causal"},
                                                                                {FV_MASK_KEY_LENGTHS, "key_lengths"},
                                                                                {FV_MASK_BOOLEAN, "boolean"},
                                                                                {FV_MASK_BIAS, "bias"}}};
/// "causal, bias"; "none" for 0.
std::string mask_names(uint32_t masks);
/// "exact", "reordered", "approximate"; "unknown (99)"
std::string numerics_name(uint32_t numerics);

}  // namespace fastvideo::host
