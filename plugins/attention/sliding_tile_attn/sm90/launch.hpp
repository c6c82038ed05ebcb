// The Hopper kernels of SLIDING_TILE_ATTN as functions. No CUDA header is needed.
#pragma once

#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/sliding_tile_attn/sm90/tables.hpp"

namespace fastvideo::sliding_tile {

/// A kernel: elements, head size, queries and keys of its blocks.
struct Kernel {
  const char* key_block;  ///< its name in the option
  bool bfloat16;          ///< otherwise float16
  int head_size;
  int rows, width;
  /// Blocks that the current device holds at once; sets the kernel up. Throws std::runtime_error.
  int (*prepare)();
  /// Enqueues a call on the current device. blocks: the result of prepare. Throws std::runtime_error.
  void (*launch)(const hopper::Call& call, const Lists& lists, int blocks, CUstream_st* stream);
};

/// The kernel with the given key block, "auto" for the best, or nullptr.
const Kernel* find_kernel(bool bfloat16, int head_size, std::string_view key_block);

}  // namespace fastvideo::sliding_tile
