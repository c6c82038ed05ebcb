// Attention on the CPU in blocks of queries and keys: softmax is computed online, so that no row of scores is ever held
// whole (Milakov and Gimelshein 2018; Dao et al. 2022, algorithm 1). All arithmetic is in float32.
#pragma once

#include <fastvideo/tensor.h>
#include <cstdint>
#include <span>

#include "plugins/attention/common/call.hpp"

namespace fastvideo::cpu {

/// Keys of one packed block, and queries that one task works on.
constexpr int64_t kBlockKeys = 128;
constexpr int64_t kTileQueries = 96;

/// Strides in elements of [batch, token, head, size] or, for a mask, of [batch, head, query, key]; 0 where broadcast.
struct Strides {
  int64_t s[4];
};

/// One call, as the kernels read it. Pointers are borrowed for the call.
struct Job {
  CallShape shape;
  const void *q, *k, *v;
  void* out;
  Strides q_strides, k_strides, v_strides, out_strides;
  const int32_t* key_lengths;  ///< nullptr, or one for each batch row
  float* log_sum_exp;          ///< nullptr, or [batch, heads, queries] with strides of its own
  Strides log_sum_exp_strides;
  const void* mask;  ///< nullptr, or bool (true = may be seen) or floating point (added to the scores)
  fv_dtype mask_dtype;
  Strides mask_strides;
  float scale;

  /// Keys that batch row b sees.
  int64_t keys_of(int64_t b) const;
};

/// Builds the job of a checked call. Throws std::invalid_argument if the mask does not broadcast.
Job make_job(const fv_attention_site& site, const fv_attention_args& args);

/// Bytes of packed keys and values of one batch row.
uint64_t packed_bytes(const CallShape& shape);

/// The kernels of one element type for one instruction set.
struct Kernels {
  const char* instructions;  ///< "avx512", "avx2" or "baseline"
  /// Converts key blocks [begin, end) of batch row b, numbered (kv head, block), into packed.
  void (*pack)(const Job& job, int64_t b, float* packed, int64_t begin, int64_t end);
  /// Computes query tiles [begin, end) of batch row b, numbered (head, tile).
  void (*attend)(const Job& job, int64_t b, const float* packed, int64_t begin, int64_t end);
};

/// The kernels for float32, bfloat16 or float16 that this machine's processor can run, the fastest first. Throws
/// std::invalid_argument for other types.
std::span<const Kernels> kernels_for(fv_dtype dtype);

/// Numbers of tasks of pack and attend for one batch row.
int64_t pack_tasks(const CallShape& shape);
int64_t attend_tasks(const CallShape& shape);

}  // namespace fastvideo::cpu
