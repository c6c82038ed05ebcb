#include "host/attention_problem/attention_problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace fastvideo {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

fv_dtype mask_dtype(const ProblemShape& shape) {
  return (shape.masks & FV_MASK_BIAS) != 0 ? shape.dtype : fv_dtype{FV_BOOL, 8, 1};
}

}  // namespace

AttentionProblem::AttentionProblem(const ProblemShape& s)
    : shape_(s),
      q_(s.dtype, {s.batch, s.queries, s.query_heads, s.head_size}, s.layout),
      k_(s.dtype, {s.batch, s.keys, s.kv_heads, s.head_size}, s.layout),
      v_(s.dtype, {s.batch, s.keys, s.kv_heads, s.head_size}, s.layout),
      out_(s.dtype, {s.batch, s.queries, s.query_heads, s.head_size}, s.layout),
      // A bias for every head and none of the rows, a boolean mask for every row and all heads: both are broadcast.
      mask_(mask_dtype(s), (s.masks & FV_MASK_BIAS) != 0 ? std::array<int64_t, 4>{1, s.query_heads, s.queries, s.keys}
                                                         : std::array<int64_t, 4>{s.batch, 1, s.queries, s.keys}),
      log_sum_exp_({FV_FLOAT, 32, 1}, {1, s.batch, s.query_heads, s.queries}) {
  fill_inputs();
  describe();
}

void AttentionProblem::fill_inputs() {
  std::mt19937_64 bits(20240817);
  std::normal_distribution<double> normal;
  const auto fill = [&](HostTensor& x) {
    for (int64_t a = 0; a < x.shape()[0]; ++a)
      for (int64_t b = 0; b < x.shape()[1]; ++b)
        for (int64_t c = 0; c < x.shape()[2]; ++c)
          for (int64_t d = 0; d < x.shape()[3]; ++d) x.set({a, b, c, d}, normal(bits));
  };
  for (HostTensor* x : {&q_, &k_, &v_, &mask_}) fill(*x);
  if ((shape_.masks & FV_MASK_BOOLEAN) != 0)
    for (int64_t b = 0; b < shape_.batch; ++b)
      for (int64_t i = 0; i < shape_.queries; ++i)
        for (int64_t j = 0; j < shape_.keys; ++j)  // every query sees one key at least
          mask_.set({b, 0, i, j}, normal(bits) > 0 || j == i % shape_.keys ? 1 : 0);
  for (int64_t b = 0; b < shape_.batch; ++b)
    key_lengths_.push_back(static_cast<int32_t>(shape_.keys - 5 * b > 1 ? shape_.keys - 5 * b - 1 : 1));
  inputs_before_ = {q_.memory(), k_.memory(), v_.memory()};
}

void AttentionProblem::describe() {
  const ProblemShape& s = shape_;
  site_.struct_size = sizeof site_;
  site_.masks = s.masks;
  site_.require = s.require;
  site_.role = shape_.role.c_str();
  site_.device = {FV_DEVICE_CPU, 0};
  site_.dtype = s.dtype;
  site_.head_size = s.head_size;
  site_.query_heads = site_.total_heads = s.query_heads;
  site_.kv_heads = s.kv_heads;
  site_.layers = 2;
  site_.batch = s.batch + (s.spare > 0 ? 1 : 0);
  site_.query_length = s.queries + s.spare;
  site_.key_length = s.keys + s.spare;
  site_.scale = 1.5 / std::sqrt(static_cast<double>(s.head_size));  // not the usual one: it must be read
  if (s.grid) std::copy(s.grid->begin(), s.grid->end(), site_.grid);

  key_lengths_shape_ = s.batch;
  key_lengths_tensor_ = {key_lengths_.data(), {FV_DEVICE_CPU, 0},   1, {FV_INT, 32, 1},
                         &key_lengths_shape_, &key_lengths_stride_, 0};
  log_sum_exp_tensor_ = *log_sum_exp_.tensor();
  for (size_t i = 0; i < 3; ++i) {
    log_sum_exp_shape_[i] = log_sum_exp_.tensor()->shape[i + 1];
    log_sum_exp_strides_[i] = log_sum_exp_.tensor()->strides[i + 1];
  }
  log_sum_exp_tensor_.ndim = 3;
  log_sum_exp_tensor_.shape = log_sum_exp_shape_.data();
  log_sum_exp_tensor_.strides = log_sum_exp_strides_.data();

  args_.struct_size = sizeof args_;
  args_.q = q_.tensor();
  args_.k = k_.tensor();
  args_.v = v_.tensor();
  args_.out = out_.tensor();
  if ((s.masks & (FV_MASK_BOOLEAN | FV_MASK_BIAS)) != 0) args_.mask = mask_.tensor();
  if ((s.masks & FV_MASK_KEY_LENGTHS) != 0) args_.key_lengths = &key_lengths_tensor_;
  if ((s.require & FV_REQUIRE_LOG_SUM_EXP) != 0) args_.log_sum_exp = &log_sum_exp_tensor_;
  args_.step = -1;
}

bool AttentionProblem::sees(int64_t row, int64_t query, int64_t key) const {
  if ((shape_.masks & FV_MASK_CAUSAL) != 0) return key <= query;
  if ((shape_.masks & FV_MASK_FRAME_CAUSAL) != 0) {
    const int64_t frame = site_.grid[1] * site_.grid[2];
    return key / frame <= query / frame;
  }
  if ((shape_.masks & FV_MASK_KEY_LENGTHS) != 0) return key < key_lengths_[static_cast<size_t>(row)];
  if ((shape_.masks & FV_MASK_BOOLEAN) != 0) return mask_.get({row, 0, query, key}) != 0;
  return true;
}

// softmax(scale q k^T + bias) v as it is written (Vaswani et al. 2017, equation 1).
AttentionProblem::Expected AttentionProblem::expected() const {
  const ProblemShape& s = shape_;
  Expected result;
  result.log_sum_exp.reserve(static_cast<size_t>(s.batch * s.query_heads * s.queries));
  double squares = 0, count = 0;
  std::vector<double> weight(static_cast<size_t>(s.keys));
  result.out.resize(static_cast<size_t>(s.batch * s.queries * s.query_heads * s.head_size));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.query_heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i) {
        const int64_t kv = h / (s.query_heads / s.kv_heads);
        double top = -std::numeric_limits<double>::infinity(), total = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          double score = 0;
          for (int64_t d = 0; d < s.head_size; ++d) score += q_.get({b, i, h, d}) * k_.get({b, j, kv, d});
          score *= site_.scale;
          if ((s.masks & FV_MASK_BIAS) != 0) score += mask_.get({0, h, i, j});
          squares += score * score;
          ++count;
          weight[static_cast<size_t>(j)] = sees(b, i, j) ? score : -std::numeric_limits<double>::infinity();
          top = std::max(top, weight[static_cast<size_t>(j)]);
        }
        for (double& w : weight) total += w = std::exp(w - top);
        result.log_sum_exp.push_back(top + std::log(total));
        for (int64_t d = 0; d < s.head_size; ++d) {
          double sum = 0;
          for (int64_t j = 0; j < s.keys; ++j) sum += weight[static_cast<size_t>(j)] * v_.get({b, j, kv, d});
          result.out[static_cast<size_t>(((b * s.queries + i) * s.query_heads + h) * s.head_size + d)] = sum / total;
        }
      }
  result.score_size = std::sqrt(squares / count);
  return result;
}

std::string AttentionProblem::numbers_fault(const Expected& expected) const {
  const ProblemShape& s = shape_;
  double wrong = 0, right = 0, worst = 0;
  size_t at = 0;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.query_heads; ++h)
        for (int64_t d = 0; d < s.head_size; ++d) {
          const double truth = expected.out[at++], off = std::fabs(out_.get({b, i, h, d}) - truth);
          wrong += off * off;
          right += truth * truth;
          worst = std::max(worst, off);
        }
  // Roundings of scores, weights and results to the type, and sums in float32 at least: each is about one unit of the
  // output, a score's one times its size. Independent roundings add up as squares; a factor of 8 is left for the rest.
  const double unit = unit_roundoff(s.dtype);
  const double sums = std::min(unit, std::ldexp(1.0, -24)) * std::sqrt(static_cast<double>(s.head_size + s.keys));
  const double bar = 8 * (1 + expected.score_size) * (unit + sums);
  const double relative = std::sqrt(wrong / right);
  if (relative > bar)
    return "out differs from the formula in float64 by " + number(relative) + " of its size (at most " + number(bar) +
           ", worst element " + number(worst) + ")";
  if (worst > 16 * bar)
    return "one element of out is wrong by " + number(worst) + " (at most " + number(16 * bar) + ")";
  if (args_.log_sum_exp == nullptr) return "";
  at = 0;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.query_heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i) {
        const double off = std::fabs(log_sum_exp_.get({0, b, h, i}) - expected.log_sum_exp[at++]);
        if (!(off <= 16 * bar))
          return "log_sum_exp is wrong by " + number(off) + " (at most " + number(16 * bar) + ", natural logarithm)";
      }
  return "";
}

std::string AttentionProblem::fault(bool approximate) const {
  if (q_.memory() != inputs_before_[0] || k_.memory() != inputs_before_[1] || v_.memory() != inputs_before_[2])
    return "run changed its inputs";
  if (!out_.gaps_untouched()) return "run wrote outside of out: between its rows, or before or behind it";
  if (!log_sum_exp_.gaps_untouched()) return "run wrote outside of log_sum_exp";
  const ProblemShape& s = shape_;
  int64_t unwritten = 0;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.query_heads; ++h)
        for (int64_t d = 0; d < s.head_size; ++d)
          if (!std::isfinite(out_.get({b, i, h, d}))) ++unwritten;
  if (unwritten > 0)
    return std::to_string(unwritten) + " elements of out are not written, or not finite: run writes out whole";
  return approximate ? "" : numbers_fault(expected());
}

}  // namespace fastvideo
