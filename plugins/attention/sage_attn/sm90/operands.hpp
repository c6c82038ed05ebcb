// The operands of the preparation's kernels. No CUDA header is needed.
#pragma once

#include <cstdint>

namespace fastvideo::sage {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kBlocksOfAProcessor = 4;  ///< of quantise_kernel: its registers are limited for this number
constexpr int kBlockTokens = 128;       ///< that a block of quantise_kernel takes; the width of a key block
constexpr int kStatisticsTokens = 512;  ///< that a block of statistics_kernel takes
constexpr int kQueryBlock = 64;         ///< queries of one scale where scales are per block
constexpr float kLargestInt8 = 127;
/// The largest |V| of a channel becomes 320 of e4m3's 448: for normal values, rounding then errs least.
constexpr float kLargestStored = 320;

/// A 16-bit tensor [batch, token, head, size] in device memory; strides in elements, that of size 1.
struct TokenView {
  const void* data;
  int64_t batch_stride, token_stride, head_stride;
  int tokens, heads;
};

/// The arrays that the kernels read and write; see workspace.hpp for the sizes.
struct Quantisation {
  TokenView q, k, v;
  int8_t *q8, *k8;        ///< [batch, head, token, size]
  uint8_t* v8;            ///< [batch, head, size, token], tokens padded to whole key blocks, in the order of E4M3Values
  float* q_scales;        ///< [batch, head, group of 16, 8]
  float* k_scales;        ///< [batch, head, key block, 4]
  float* v_scales;        ///< [batch, head, size]
  float* k_mean;          ///< [batch, head, size]
  float* v_residual;      ///< [batch, head, size]: mean over the tokens of v less its rounded value
  float* residual_parts;  ///< [batch, head, key block, size]: sums of that, in steps
  float *k_parts, *v_parts;  ///< [batch, head, part, size]: sums of k, largest |v|
  float* q_mean;             ///< [batch, head, query block, size]
  float* biases;             ///< [batch, head, query block, key of whole key blocks]: q's mean's part of the scores
  int batch, parts, key_blocks, query_groups, query_blocks;
  bool smooth_k;   ///< whether K's mean is subtracted
  bool per_block;  ///< one scale for 64 queries and one for 128 keys; otherwise one for each thread of the kernel
  bool quantise_v;
  bool smooth_q;  ///< whether the mean of 64 queries is subtracted; only then q_mean and biases exist
};

}  // namespace fastvideo::sage
