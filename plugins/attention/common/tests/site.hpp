// Sites of tests.
#pragma once

#include <fastvideo/attention.h>

#include <cmath>
#include <fastvideo/tensor_view.hpp>

namespace fastvideo {

/// Self-attention of a video transformer: one layer, one batch row, scale 1 / sqrt(size).
inline fv_attention_site self_site(int32_t device, fv_dtype dtype, int64_t tokens, int32_t heads, int32_t size) {
  fv_attention_site site{};
  site.struct_size = sizeof(site);
  site.role = FV_ROLE_DIT_SELF;
  site.device = {device, 0};
  site.dtype = dtype;
  site.head_size = size;
  site.query_heads = site.kv_heads = site.total_heads = heads;
  site.layers = 1;
  site.batch = 1;
  site.query_length = site.key_length = tokens;
  site.scale = 1 / std::sqrt(static_cast<double>(size));
  return site;
}

/// The self-attention site of Wan2.1 1.3B at 480 x 832 and 81 frames.
inline fv_attention_site wan_site() {
  fv_attention_site site = self_site(FV_DEVICE_CUDA, kBFloat16, 32760, 12, 128);
  site.layers = 30;
  site.grid[0] = 21;
  site.grid[1] = 30;
  site.grid[2] = 52;
  return site;
}

}  // namespace fastvideo
