// The Hopper kernels of SAGE_ATTN as functions. No CUDA header is needed.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;

namespace fastvideo::sage {

/// Strides in elements of a tensor [batch, token, head, size], that of size 1.
struct TokenStrides {
  int64_t batch, token, head;
};

/// One call. All pointers are device memory; q, k, v and out are bfloat16 or float16.
struct Call {
  int64_t batch, queries, keys, heads, kv_heads;
  const void *q, *k, *v;
  void* out;
  TokenStrides q_strides, k_strides, v_strides, out_strides;
  float* log_sum_exp;  ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  float scale;      ///< positive
  void* workspace;  ///< workspace_bytes, 256-byte aligned
};

/// How operands are quantised.
struct Quantiser {
  bool bfloat16;    ///< elements, otherwise float16
  int head_size;    ///< 64 or 128
  bool fp8_values;  ///< P V in e4m3, otherwise in the elements
  bool smooth_k;    ///< K less its mean over the tokens
  bool per_block;   ///< a scale for 64 queries or 128 keys, otherwise for the rows that a thread holds
};

/// Bytes of workspace for calls of up to these sizes.
size_t workspace_bytes(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads,
                       int64_t kv_heads);

/// Blocks of the attention kernel that the current device holds at once; sets the kernels up. Throws
/// std::runtime_error.
int prepare(const Quantiser& quantiser);

/// Which half of the work to enqueue: for timings.
enum class Part { kAll, kQuantise, kAttention };

/// Enqueues a call on the current device. blocks: what prepare returned. Throws std::runtime_error.
void launch(const Quantiser& quantiser, const Call& call, int blocks, Part part, CUstream_st* stream);

}  // namespace fastvideo::sage
