// Chooses the key blocks of every block of queries on the CPU, in float32.
#pragma once

#include <fastvideo/tensor_view.hpp>
#include <vector>

#include "plugins/attention/common/cpu/blocked.hpp"
#include "plugins/attention/sparse_attn/routing.hpp"

namespace fastvideo::sparse {

/// The means of the parts of one batch row.
class Means {
 public:
  /// Allocates the parts of queries and keys of the given numbers of heads.
  Means(const Routing& routing, const CallShape& shape);

  /// Tasks of fill: one for each head of queries and of keys.
  int64_t tasks() const { return heads_ + kv_heads_; }
  /// Computes the means of tasks [begin, end) of batch row b; dtype: of the job's tensors. Threads: different tasks at
  /// a time.
  void fill(const cpu::Job& job, fv_dtype dtype, int64_t b, int64_t begin, int64_t end);

  /// The mean of part `part` of a head's queries or keys.
  const float* query(int64_t head, int64_t part) const { return &values_[offset(head, part)]; }
  const float* key(int64_t kv_head, int64_t part) const { return &values_[key_offset(kv_head, part)]; }

 private:
  size_t offset(int64_t head, int64_t part) const { return static_cast<size_t>((head * query_parts_ + part) * size_); }
  size_t key_offset(int64_t head, int64_t part) const {
    return static_cast<size_t>((heads_ * query_parts_ + head * key_parts_ + part) * size_);
  }
  Routing routing_;
  int64_t heads_, kv_heads_, size_, query_parts_, key_parts_;
  std::vector<float> values_;
};

/// The keys that a block of queries of a head sees: runs inside [0, keys), ascending, neighbours merged. keys: of the
/// batch row whose means these are.
std::vector<KeyRun> route(const Routing& routing, const Means& means, int64_t size, float scale, int64_t head,
                          int64_t kv_head, int query_block, int64_t keys);

}  // namespace fastvideo::sparse
