// Dense attention in 16 bits on Hopper as functions: which kernels there are, and how one is launched. No CUDA header
// is needed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "plugins/attention/common/hopper/call.hpp"
#include "plugins/attention/common/hopper/estimate.hpp"

struct CUstream_st;

namespace fastvideo::dense {

constexpr int kMostWidths = 4;

/// A kernel: elements, head size, and its tile of queries x keys.
struct Kernel {
  const char* name;  ///< "128x176"
  bool bfloat16;     ///< otherwise float16
  int head_size;
  int rows;                                   ///< queries of a tile
  int key_width;                              ///< of a key block
  int cluster;                                ///< blocks of the kernel that share their loads
  std::array<int, kMostWidths> first_widths;  ///< rising, then 0: widths for a first key block with fewer keys
  hopper::TileTimes times;
  /// Blocks that the current device holds at once; sets the kernel up. Throws std::runtime_error.
  int (*prepare)();
  /// Device memory that call.pieces needs for calls of up to `keys` keys; 0: no tile will be split.
  size_t (*piece_bytes)(int64_t keys, int blocks);
  /// Enqueues a call on the current device. blocks: the result of prepare. Throws std::runtime_error.
  void (*launch)(const hopper::Call& call, int blocks, CUstream_st* stream);
};

/// All kernels.
std::span<const Kernel> bfloat16_kernels();
std::span<const Kernel> float16_kernels();

/// The kernel for a problem, or nullptr. tile: a kernel's name, or "auto": the kernel with the least estimated time,
/// without kernels that a cluster's empty tiles make slower than another.
const Kernel* find_kernel(bool bfloat16, const hopper::ProblemSizes& sizes, std::string_view tile = "auto");

/// The estimated time of a kernel, in microseconds: for choosing between kernels and between backends.
double estimate(const Kernel& kernel, const hopper::ProblemSizes& sizes);

}  // namespace fastvideo::dense
