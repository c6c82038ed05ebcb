// What a launch passes to the kernel.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Passed by value, as __grid_constant__: the copy engine reads the maps in place. KeyBlocks: see key_blocks.hpp.
template <class KeyBlocks>
struct Parameters {
  CUtensorMap queries, keys, values;  ///< [batch, token, head, size]; boxes as producer.cuh asks for them
  void* out;                          ///< [batch, token, head, size], strides in elements, the last one 1
  int64_t out_batch, out_token, out_head;
  float* log_sum_exp;  ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  int heads_per_key_head;
  float scale_log2;  ///< scale * log2(e)
  TileScheduler scheduler;
  typename KeyBlocks::Data key_blocks;
};

}  // namespace fastvideo::hopper
