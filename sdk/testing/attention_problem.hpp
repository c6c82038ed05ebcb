// One small attention problem: random inputs, poisoned outputs, and the expected outputs in float64.
#pragma once

#include <fastvideo/attention.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sdk/testing/device_memory.hpp"
#include "sdk/testing/host_tensor.hpp"

namespace fastvideo::testing {

/// How queries and keys are drawn.
enum class Inputs {
  random,  ///< normal numbers: every key counts
  peaked,  ///< each query lies so close to one key that all weight falls on it, whatever an approximation leaves out
};

/// The shapes, types and masks of one run. `batch`, `queries` and `keys` are those of the run; the site's are larger by
/// `spare`.
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
  uint32_t masks = 0;  ///< FV_MASK_*; a boolean mask or a bias, not both
  uint64_t require = 0;
  int32_t layers = 2;
  int32_t step = -1;  ///< of the run, in a denoising loop of `steps`; -1: outside the loop
  int32_t steps = 0;
  std::optional<int32_t> total_heads;  ///< otherwise query_heads
  std::optional<double> scale;         ///< otherwise 1.5 / sqrt(head_size): unusual, so it must be read
  std::optional<fv_dtype> bias_dtype;  ///< otherwise dtype
  bool has_closed_rows = false;        ///< a mask, bias or key length lets some queries of the last row see no key
  Inputs inputs = Inputs::random;
  int64_t rows = 0;                            ///< rows of the output that are compared, spread over all; 0: all
  std::optional<std::array<int64_t, 3>> grid;  ///< the grid's tokens are all queries
  Layout layout = Layout::dense;
};

/// The error of an output against the formula.
struct Deviation {
  double relative = 0;  ///< L2 norm of the difference over that of the formula's rows
  double worst = 0;     ///< largest difference of one element
  double bar = 0;       ///< the largest `relative` that roundings of the type explain
};

/// Not movable: the site and the arguments point into the problem.
class AttentionProblem {
 public:
  explicit AttentionProblem(const ProblemShape& shape);
  AttentionProblem(const AttentionProblem&) = delete;
  AttentionProblem& operator=(const AttentionProblem&) = delete;

  const fv_attention_site& site() const { return site_; }
  fv_attention_args& args() { return args_; }

  /// Copies the tensors to a device, whose memory must outlive the problem: site and arguments are there from then on.
  void place(DeviceMemory& memory, fv_device device);
  /// Copies inputs and outputs back from the device of place().
  void collect(DeviceMemory& memory);

  /// The fault of the outputs: "" or a sentence with the numbers. `approximate`: finite numbers are not compared with
  /// the formula.
  std::string fault(bool approximate) const;
  /// The error of `out` against the formula.
  Deviation deviation() const { return deviation(expected()); }

 private:
  struct Row {
    int64_t batch, head, query;
    std::vector<double> out;  // [D]
    double log_sum_exp;
  };
  struct Expected {
    std::vector<Row> rows;
    double score_size = 0;  // root of the mean square of the scores
  };
  void fill_inputs();
  void close_rows();
  void aim_queries();
  void describe();
  bool sees(int64_t row, int64_t query, int64_t key) const;
  Expected expected() const;
  Deviation deviation(const Expected& expected) const;
  static bool is_closed(const Row& row);
  std::string closed_rows_fault(const Expected& expected) const;
  std::string written_fault() const;
  std::string numbers_fault(const Expected& expected) const;

  ProblemShape shape_;
  HostTensor q_, k_, v_, out_, mask_, log_sum_exp_;
  std::vector<int32_t> key_lengths_;
  int64_t key_lengths_shape_ = 0, key_lengths_stride_ = 1;
  fv_tensor key_lengths_tensor_{};
  std::array<fv_tensor, 5> placed_{};  // q, k, v, out, mask on a device
  std::array<int64_t, 3> log_sum_exp_shape_{}, log_sum_exp_strides_{};
  fv_tensor log_sum_exp_tensor_{};
  std::array<std::vector<std::byte>, 4> inputs_before_;  // q, k, v, mask
  std::vector<int32_t> key_lengths_before_;
  fv_attention_site site_{};
  fv_attention_args args_{};
};

}  // namespace fastvideo::testing
