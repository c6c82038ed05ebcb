// Dense attention in 16 bits on Hopper as functions: which kernels there are, and how one is launched. No CUDA header
// is needed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

struct CUstream_st;

namespace fastvideo::dense {

/// Strides in elements of a tensor [batch, token, head, size], that of size 1.
struct TokenStrides {
  int64_t batch, token, head;
};

/// One call. All pointers are device memory.
struct Call {
  int64_t batch, queries, keys, heads, kv_heads;
  const void *q, *k, *v;
  void* out;
  TokenStrides q_strides, k_strides, v_strides, out_strides;
  const int32_t* key_lengths;  ///< nullptr, or [batch]
  float* log_sum_exp;          ///< nullptr, or [batch, head, query], the last stride 1
  int64_t log_sum_exp_batch, log_sum_exp_head;
  float scale;  ///< positive
};

/// A kernel: elements, head size, and its tile of queries x keys.
struct Kernel {
  const char* name;  ///< "128x176"
  bool bfloat16;     ///< otherwise float16
  int head_size;
  int key_width;  ///< of a key block
  /// Blocks that the current device holds at once; sets the kernel up. Throws std::runtime_error.
  int (*prepare)();
  /// Enqueues a call on the current device. blocks: what prepare returned. Throws std::runtime_error.
  void (*launch)(const Call& call, int blocks, CUstream_st* stream);
};

/// All kernels; the best of an element type and head size comes first.
std::span<const Kernel> bfloat16_kernels();
std::span<const Kernel> float16_kernels();

/// The kernel for so many keys at most, or nullptr. tile: a kernel's name, or "auto": the first of its kind; over few
/// keys the first of those that leave least of their last block empty.
const Kernel* find_kernel(bool bfloat16, int head_size, int64_t keys, std::string_view tile = "auto");

}  // namespace fastvideo::dense
