// The kernel's parameters.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "plugins/attention/common/hopper/key_blocks.hpp"

namespace fastvideo::hopper {

/// Keys that share their four scales.
constexpr int kKeysOfAScale = 128;

/// The scales of quantised operands; a factor is the true value of one step. Unused by 16-bit products.
struct Scales {
  const float* queries;  ///< [batch, head, ceil(queries / 16), 8]: rows g and g + 8 of 16 share one
  const float* keys;  ///< [batch, key head, key_blocks of kKeysOfAScale, 4]: columns 2 c and 2 c + 1 of eight share one
  const float* values;    ///< [batch, key head, head size]
  const float* residual;  ///< [batch, key head, head size]: added to the output, to correct the values' rounding
  int query_groups, key_blocks;
};

/// Biases added to scaled scores, in powers of two: the same for the 64 queries of a consumer. Only for products that
/// are kBiased.
struct Biases {
  const float* of_keys;  ///< [batch, head, query_blocks, keys], keys a multiple of 4 and of whole key blocks
  int query_blocks, keys;
};

/// The results of pieces of tiles for combine_kernel: a piece's output as if there were no other keys. See pieces.cuh.
struct PieceResults {
  float* output;       ///< [slot, row of the tile, head size]
  float* log_sum_exp;  ///< [slot, row of the tile], in powers of two
};

/// The parameters that do not depend on the policy of key blocks.
struct CallParameters {
  /// [batch, token, head, size]; transposed values: [batch, size, head, token]. The boxes are those of producer.cuh.
  CUtensorMap queries, keys, values;
  void* out;  ///< [batch, token, head, size], strides in elements, the last one 1
  int64_t out_batch, out_token, out_head;
  float* log_sum_exp;  ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  int heads, heads_per_key_head;
  float scale_log2;  ///< scale * log2(e)
  float skip_below;  ///< for shapes that skip: the distance below other scores, unscaled
  Scales scales;
  Biases biases;
  PieceResults pieces;
};

/// Passed by value, as __grid_constant__: the copy engine reads the maps in place. KeyBlocks: see key_blocks.hpp.
template <class KeyBlocks>
struct Parameters : CallParameters {
  typename KeyBlocks::Scheduler scheduler;
  typename KeyBlocks::Data key_blocks;
};

}  // namespace fastvideo::hopper
