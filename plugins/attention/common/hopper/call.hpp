// One call of a Hopper kernel, in plain sizes and pointers. No CUDA header is needed.
#pragma once

#include <cstdint>

namespace fastvideo::hopper {

/// The sizes of a problem.
struct ProblemSizes {
  int head_size;
  int64_t batch, heads, queries, keys;
};

/// Strides in elements of a tensor [batch, token, head, size], that of size 1.
struct TokenStrides {
  int64_t batch, token, head;
};

/// q and out [batch, queries, heads, size], k and v [batch, keys, kv_heads, size]; all pointers are device memory.
struct Call {
  int64_t batch, queries, keys, heads, kv_heads;
  const void *q, *k, *v;
  void* out;
  TokenStrides q_strides, k_strides, v_strides, out_strides;
  const int32_t* key_lengths;  ///< nullptr, or [batch]
  float* log_sum_exp;          ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  float scale;  ///< positive
  /// Memory of piece_bytes (launch_dense.cuh), 256-byte aligned, for query tiles that are split; nullptr: no tile is
  /// split.
  void* pieces;
};

}  // namespace fastvideo::hopper
