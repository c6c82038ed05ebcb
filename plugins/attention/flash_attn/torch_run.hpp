// Shared code of the implementations on LibTorch: the arguments of a call as LibTorch tensors, on the call's device and
// stream.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <fastvideo/plugin.hpp>
#include <fastvideo/torch.hpp>
#include <fastvideo/torch_errors.hpp>
#include <optional>
#include <string>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/flash_attn/torch_call.hpp"

namespace fastvideo::flash_torch {

/// Checks the arguments against the site, then calls body(Call) without gradients, on the device and stream of the
/// call. LibTorch's errors lose their backtrace, so that they are one line.
template <class Body>
void run(const fv_attention_site& site, const fv_attention_args& args, Body&& body) {
  check_call(site, args);
  const at::Device device = to_device(site.device);
  const c10::InferenceMode no_gradients;
  std::optional<c10::DeviceGuard> device_guard;
  if (device.is_cuda()) device_guard.emplace(device);
  const StreamScope stream(device, args.stream);
  const auto borrowed = [](const fv_tensor* tensor) { return tensor != nullptr ? borrow(*tensor) : at::Tensor(); };
  with_short_torch_errors([&] {
    body(Call{borrow(*args.q), borrow(*args.k), borrow(*args.v), borrow(*args.out), borrowed(args.key_lengths),
              borrowed(args.log_sum_exp), site.scale});
  });
}

/// Why FlashAttention's operators cannot serve a site on any device; empty if they can.
inline std::string reason_against(const fv_attention_site& site) {
  if ((site.masks & ~uint32_t{FV_MASK_KEY_LENGTHS}) != 0) return "no masks but key lengths";
  if (!same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
    return "bfloat16 and float16, not " + dtype_name(site.dtype);
  if (site.head_size < 8 || site.head_size > 256 || site.head_size % 8 != 0)
    return "head sizes from 8 to 256 in multiples of 8, not " + std::to_string(site.head_size);
  if (site.kv_heads < 1 || site.query_heads < 1 || site.query_heads % site.kv_heads != 0)
    return std::to_string(site.query_heads) + " query heads cannot share " + std::to_string(site.kv_heads) +
           " key heads";
  // The operators count tokens of all rows together in 32 bits.
  constexpr int64_t kMost = INT32_MAX;
  if (site.batch < 1 || site.query_length > kMost / (site.batch + 1) || site.key_length > kMost / (site.batch + 1))
    return "at most " + std::to_string(kMost) + " tokens in " + std::to_string(site.batch) + " + 1 rows, not " +
           std::to_string(std::max(site.query_length, site.key_length)) + " in each";
  return {};
}

/// Arithmetic of one run at the site's full shape: two matrix products.
inline double operations(const fv_attention_site& site) {
  return 4.0 * static_cast<double>(site.batch) * site.query_heads * site.head_size *
         static_cast<double>(site.query_length) * static_cast<double>(site.key_length);
}

}  // namespace fastvideo::flash_torch
