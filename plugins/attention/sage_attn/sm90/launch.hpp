// The Hopper kernels of SAGE_ATTN as functions. No CUDA header is needed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plugins/attention/common/hopper/call.hpp"

struct CUstream_st;

namespace fastvideo::sage {

/// How operands are quantised.
struct Quantiser {
  bool bfloat16;    ///< elements, otherwise float16
  int head_size;    ///< 64 or 128
  bool fp8_values;  ///< P V in e4m3, otherwise in the elements
  bool smooth_k;    ///< K less its mean over the tokens
  bool per_block;   ///< a scale for 64 queries or 128 keys, otherwise for the rows that a thread holds
  bool smooth_q;    ///< Q less the mean of 64 tokens; the mean's part of the scores is added in float
};

/// Queries of a call that are prepared together: all, or with smooth_q as many as have a gigabyte of biases, a multiple
/// of 64.
int64_t queries_together(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads);

/// Bytes of workspace for calls of up to these sizes. blocks: the result of prepare.
size_t workspace_bytes(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads,
                       int64_t kv_heads, int blocks);

/// Blocks of the attention kernel that the current device holds at once; sets the kernels up. Throws
/// std::runtime_error.
int prepare(const Quantiser& quantiser);

/// How much of a call to enqueue: preparation leaves its last queries' operands in the workspace, for tests.
enum class Part { all, preparation };

/// Enqueues a call of bfloat16 or float16, without key lengths, on the current device. together: queries_together of
/// the largest call. workspace: workspace_bytes of device memory, 256-byte aligned. blocks: the result of prepare.
/// Throws std::runtime_error.
void launch(const Quantiser& quantiser, const hopper::Call& call, int64_t together, void* workspace, int blocks,
            Part part, CUstream_st* stream);

}  // namespace fastvideo::sage
