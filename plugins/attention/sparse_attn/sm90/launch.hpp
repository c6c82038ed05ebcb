// The Hopper kernels of SPARSE_ATTN as functions. No CUDA header is needed.
#pragma once

#include <span>
#include <string_view>

#include "plugins/attention/common/hopper/call.hpp"
#include "plugins/attention/sparse_attn/sm90/workspace.hpp"

struct CUstream_st;

namespace fastvideo::sparse {

/// A kernel: elements, head size, queries and keys of its blocks.
struct Kernel {
  const char* key_block;  ///< its name in the option
  bool bfloat16;          ///< otherwise float16
  int head_size;
  int rows, width;
  /// Blocks that the current device holds at once; sets the kernels up. Throws std::runtime_error.
  int (*prepare)();
  /// Enqueues choosing the key blocks of a call, and attention to them, on the current device. workspace: 256-byte
  /// aligned, with the size of workspace_of; blocks: the result of prepare. Throws std::runtime_error.
  void (*route)(const Routing& routing, const hopper::Call& call, void* workspace, CUstream_st* stream);
  void (*attend)(const Routing& routing, const hopper::Call& call, void* workspace, int blocks, CUstream_st* stream);
};

/// A kernel that computes all scores and leaves out the exponentials and values of blocks that weigh little.
struct SkippingKernel {
  bool bfloat16;  ///< otherwise float16
  int head_size;
  int rows, width;
  int (*prepare)();
  /// Device memory that call.pieces needs for calls of up to `keys` keys.
  size_t (*piece_bytes)(int64_t keys, int blocks);
  /// Leaves out, for 64 queries that exist, a block of keys whose weights are all below `threshold` of the largest so
  /// far.
  void (*launch)(double threshold, const hopper::Call& call, int blocks, CUstream_st* stream);
};

/// The most key blocks of a sequence: more do not fit into a block's shared memory.
constexpr int kMostKeyBlocks = 3200;

/// The kernel with the given key block, "auto" for the best, or nullptr.
const Kernel* find_kernel(bool bfloat16, int head_size, std::string_view key_block);

/// The skipping kernel, or nullptr.
const SkippingKernel* find_skipping_kernel(bool bfloat16, int head_size);

std::span<const SkippingKernel> skipping_kernels();
std::span<const Kernel> bfloat16_kernels();
std::span<const Kernel> float16_kernels();

}  // namespace fastvideo::sparse
