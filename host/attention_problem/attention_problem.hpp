// One small attention: random inputs, poisoned outputs, and what should come out, in float64.
#pragma once

#include <fastvideo/attention.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "host/attention_problem/host_tensor.hpp"

namespace fastvideo {

/// What one run is about. `batch`, `queries` and `keys` are those of the run; the site's are larger by `spare`.
struct ProblemShape {
  std::string role = FV_ROLE_DIT_SELF;
  fv_dtype dtype{FV_FLOAT, 32, 1};
  int32_t head_size = 64;
  int32_t query_heads = 4;
  int32_t kv_heads = 4;
  int64_t batch = 2;
  int64_t queries = 24;
  int64_t keys = 24;
  int64_t spare = 0;
  uint32_t masks = 0;  ///< at most one FV_MASK_*
  uint64_t require = 0;
  std::optional<std::array<int64_t, 3>> grid;  ///< its tokens are all queries
  Layout layout = Layout::dense;
};

/// Not movable: the site and the arguments point into it.
class AttentionProblem {
 public:
  explicit AttentionProblem(const ProblemShape& shape);
  AttentionProblem(const AttentionProblem&) = delete;
  AttentionProblem& operator=(const AttentionProblem&) = delete;

  const fv_attention_site& site() const { return site_; }
  fv_attention_args& args() { return args_; }

  /// What is wrong with the outputs: "" or a sentence with the numbers. `approximate`: only that they were written.
  std::string fault(bool approximate) const;

 private:
  struct Expected {
    std::vector<double> out;          // [B, Lq, H, D]
    std::vector<double> log_sum_exp;  // [B, H, Lq]
    double score_size = 0;            // root of the mean square of the scores
  };
  void fill_inputs();
  void describe();
  bool sees(int64_t row, int64_t query, int64_t key) const;
  Expected expected() const;
  std::string numbers_fault(const Expected& expected) const;

  ProblemShape shape_;
  HostTensor q_, k_, v_, out_, mask_, log_sum_exp_;
  std::vector<int32_t> key_lengths_;
  int64_t key_lengths_shape_ = 0, key_lengths_stride_ = 1;
  fv_tensor key_lengths_tensor_{};
  std::array<int64_t, 3> log_sum_exp_shape_{}, log_sum_exp_strides_{};
  fv_tensor log_sum_exp_tensor_{};
  std::array<std::vector<std::byte>, 3> inputs_before_;
  fv_attention_site site_{};
  fv_attention_args args_{};
};

}  // namespace fastvideo
