// Dense attention in 16 bits on Hopper as functions: which kernels there are, and how one is launched. No CUDA header
// is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "plugins/attention/common/hopper/call.hpp"
#include "plugins/attention/common/hopper/estimate.hpp"

struct CUstream_st;

namespace fastvideo::dense {

/// A kernel: elements, head size, and its tile of queries x keys.
struct Kernel {
  const char* name;  ///< "128x176"
  bool bfloat16;     ///< otherwise float16
  int head_size;
  int rows;       ///< queries of a tile
  int key_width;  ///< of a key block
  int cluster;    ///< blocks of the kernel that share what they load
  hopper::TileTimes times;
  /// Blocks that the current device holds at once; sets the kernel up. Throws std::runtime_error.
  int (*prepare)();
  /// Device memory that call.pieces of calls of up to so many keys needs; 0: nothing will be split.
  size_t (*piece_bytes)(int64_t keys, int blocks);
  /// Enqueues a call on the current device. blocks: what prepare returned. Throws std::runtime_error.
  void (*launch)(const hopper::Call& call, int blocks, CUstream_st* stream);
};

/// All kernels; the best of an element type and head size comes first.
std::span<const Kernel> bfloat16_kernels();
std::span<const Kernel> float16_kernels();

/// The kernel for so many queries and so many keys at most, or nullptr. tile: a kernel's name, or "auto": the first of
/// its kind that a cluster's empty tiles do not make slower than another; over few keys the first of those that leave
/// least of their last block empty.
const Kernel* find_kernel(bool bfloat16, int head_size, int64_t queries, int64_t keys, std::string_view tile = "auto");

/// About how long a kernel takes, in microseconds: for choosing between backends.
double estimate(const Kernel& kernel, int64_t batch, int64_t heads, int64_t queries, int64_t keys);

}  // namespace fastvideo::dense
