// What a launch passes to the kernel.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "plugins/attention/common/hopper/tile_scheduler.hpp"

namespace fastvideo::hopper {

/// Passed by value, as __grid_constant__: the copy engine reads the maps in place.
struct Parameters {
  CUtensorMap queries, keys, values;  ///< [batch, token, head, size]; boxes as producer.cuh asks for them
  void* out;                          ///< [batch, token, head, size], strides in elements, the last one 1
  int64_t out_batch, out_token, out_head;
  float* log_sum_exp;  ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  const int32_t* key_lengths;  ///< nullptr, or [batch]
  int key_length;              ///< keys of a batch row
  int heads_per_key_head;
  float scale_log2;  ///< scale * log2(e)
  TileScheduler scheduler;

  /// Keys that exist for a batch row.
  __device__ int keys_of(int batch) const {
    return key_lengths == nullptr ? key_length : max(0, min(key_length, key_lengths[batch]));
  }
};

}  // namespace fastvideo::hopper
