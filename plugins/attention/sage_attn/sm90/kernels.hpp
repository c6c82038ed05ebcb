// The kernels of SAGE_ATTN/sm90 by their settings, each compiled once.
#pragma once

#include <span>

#include "plugins/attention/sage_attn/sm90/launch.hpp"

namespace fastvideo::sage {

/// The functions for a Quantiser; launch and prepare as in launch.hpp.
struct Kernels {
  bool bfloat16;
  int head_size;
  bool fp8_values, smooth_q;
  int (*prepare)();
  size_t (*piece_bytes)(int64_t keys, int blocks);  ///< of hopper/launch_dense.cuh
  void (*launch)(const Quantiser& quantiser, const hopper::Call& call, int64_t together, void* workspace, int blocks,
                 Part part, CUstream_st* stream);
};

std::span<const Kernels> bfloat16_kernels();
std::span<const Kernels> float16_kernels();

}  // namespace fastvideo::sage
