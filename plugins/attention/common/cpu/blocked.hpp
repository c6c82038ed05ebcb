// Attention on the CPU in blocks of queries and keys: softmax is computed online, so that no row of scores is ever held
// whole (Milakov and Gimelshein 2018; Dao et al. 2022, algorithm 1). All arithmetic is in float32. Which keys a block
// of queries sees is a list of runs: one for dense attention, several for sparse.
#pragma once

#include <fastvideo/tensor.h>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/common/key_run.hpp"

namespace fastvideo::cpu {

/// Keys of one packed block, and queries that one task works on, at most.
constexpr int64_t kBlockKeys = 128;
constexpr int64_t kTileQueries = 96;

/// Queries [first, first + count) of one head, count at most kTileQueries, and the keys that they see: runs inside the
/// keys of the call, no key twice. Keys behind the batch row's length are left out.
struct QueryTile {
  int64_t head, first, count;
  std::span<const KeyRun> keys;
};

/// Strides in elements of [batch, token, head, size] or, for a mask, of [batch, head, query, key]; 0 where broadcast.
struct Strides {
  int64_t s[4];
};

/// The sizes and pointers of one call for the kernels. Pointers are borrowed for the call.
struct Job {
  CallShape shape;
  const void *q, *k, *v;
  void* out;
  Strides q_strides, k_strides, v_strides, out_strides;
  const int32_t* key_lengths;  ///< nullptr, or one for each batch row
  float* log_sum_exp;          ///< nullptr, or [batch, heads, queries] with its own strides
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
  /// Computes query tiles of batch row b, all of whose keys are packed.
  void (*attend)(const Job& job, int64_t b, const float* packed, std::span<const QueryTile> tiles);
};

/// The kernels for float32, bfloat16 or float16 that this machine's processor can run, the fastest first. Throws
/// std::invalid_argument for other types.
std::span<const Kernels> kernels_for(fv_dtype dtype);

/// Number of key blocks of one batch row, for pack.
int64_t pack_tasks(const CallShape& shape);

/// The query tiles of a batch row in which every query sees all keys.
class DenseTiles {
 public:
  explicit DenseTiles(const CallShape& shape);
  DenseTiles(const DenseTiles&) = delete;
  DenseTiles& operator=(const DenseTiles&) = delete;
  std::span<const QueryTile> get() const { return tiles_; }

 private:
  KeyRun all_;
  std::vector<QueryTile> tiles_;
};

}  // namespace fastvideo::cpu
