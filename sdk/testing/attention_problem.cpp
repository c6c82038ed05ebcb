#include "sdk/testing/attention_problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace fastvideo::testing {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

fv_dtype mask_dtype(const ProblemShape& shape) {
  return (shape.masks & FV_MASK_BIAS) != 0 ? shape.bias_dtype.value_or(shape.dtype) : fv_dtype{FV_BOOL, 8, 1};
}

}  // namespace

AttentionProblem::AttentionProblem(const ProblemShape& s)
    : shape_(s),
      q_(s.dtype, {s.batch, s.queries, s.query_heads, s.head_size}, s.layout),
      k_(s.dtype, {s.batch, s.keys, s.kv_heads, s.head_size}, s.layout),
      v_(s.dtype, {s.batch, s.keys, s.kv_heads, s.head_size}, s.layout),
      out_(s.dtype, {s.batch, s.queries, s.query_heads, s.head_size}, s.layout),
      // A bias of shape [1, H, Lq, Lk] or a boolean mask of shape [B, 1, Lq, Lk]: both are broadcast.
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
  if (shape_.has_closed_rows) close_rows();
  if (shape_.inputs == Inputs::peaked) aim_queries();
  inputs_before_ = {q_.memory(), k_.memory(), v_.memory(), mask_.memory()};
  key_lengths_before_ = key_lengths_;
}

// The first mask of the shape closes rows: a key length of 0 all queries of the last batch row, the others its queries
// 0 and 1 for every head.
void AttentionProblem::close_rows() {
  constexpr double kClosed = -std::numeric_limits<double>::infinity();
  if ((shape_.masks & FV_MASK_KEY_LENGTHS) != 0) {
    key_lengths_.back() = 0;
    return;
  }
  const auto [rows, heads] = std::pair{mask_.shape()[0], mask_.shape()[1]};
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < std::min<int64_t>(2, shape_.queries); ++i)
      for (int64_t j = 0; j < shape_.keys; ++j)
        mask_.set({rows - 1, h, i, j}, (shape_.masks & FV_MASK_BIAS) != 0 ? kClosed : 0);
}

// Keys of length sqrt(D), and each query a multiple of one key that it sees: the score of that key is the largest by
// the inequality of Cauchy and Schwarz, and so large that the weights of all other keys vanish. Random keys of few
// dimensions lie closer together, which takes larger scores.
void AttentionProblem::aim_queries() {
  const ProblemShape& s = shape_;
  const double size = s.head_size, score = 60 * std::max(1.0, 64 / size);
  const double scale = s.scale.value_or(1.5 / std::sqrt(size));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t j = 0; j < s.keys; ++j)
      for (int64_t h = 0; h < s.kv_heads; ++h) {
        double squares = 0;
        for (int64_t d = 0; d < s.head_size; ++d) squares += std::pow(k_.get({b, j, h, d}), 2);
        for (int64_t d = 0; d < s.head_size; ++d)
          k_.set({b, j, h, d}, k_.get({b, j, h, d}) * std::sqrt(size / squares));
      }
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.query_heads; ++h) {
        const bool is_short = (s.masks & FV_MASK_KEY_LENGTHS) != 0;
        const int64_t j = i % (is_short ? key_lengths_[static_cast<size_t>(b)] : s.keys);
        for (int64_t d = 0; d < s.head_size; ++d)
          q_.set({b, i, h, d}, k_.get({b, j, h / (s.query_heads / s.kv_heads), d}) * score / (scale * size));
      }
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
  site_.query_heads = s.query_heads;
  site_.total_heads = s.total_heads.value_or(s.query_heads);
  site_.kv_heads = s.kv_heads;
  site_.layers = s.layers;
  site_.steps = s.steps;
  site_.batch = s.batch + (s.spare > 0 ? 1 : 0);
  site_.query_length = s.queries + s.spare;
  site_.key_length = s.keys + s.spare;
  site_.scale = s.scale.value_or(1.5 / std::sqrt(static_cast<double>(s.head_size)));
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
  args_.step = s.step;
  args_.steps = s.steps;
  if (s.steps > 0) args_.sigma = 1 - static_cast<double>(s.step) / s.steps;
}

void AttentionProblem::place(DeviceMemory& memory, fv_device device) {
  const auto copy = [&](const void* from, size_t bytes) {
    auto* to = static_cast<std::byte*>(memory.allocate(bytes));
    memory.upload(to, {static_cast<const uint8_t*>(from), bytes});
    return to;
  };
  const HostTensor* const tensors[] = {&q_, &k_, &v_, &out_, &mask_};
  for (size_t i = 0; i < placed_.size(); ++i) {
    placed_[i] = *tensors[i]->tensor();
    placed_[i].device = device;
    placed_[i].data = copy(tensors[i]->memory().data(), tensors[i]->memory().size()) + tensors[i]->begin();
  }
  args_.q = placed_.data();
  args_.k = &placed_[1];
  args_.v = &placed_[2];
  args_.out = &placed_[3];
  if (args_.mask != nullptr) args_.mask = &placed_[4];
  key_lengths_tensor_.data = copy(key_lengths_.data(), key_lengths_.size() * sizeof(int32_t));
  log_sum_exp_tensor_.data = copy(log_sum_exp_.memory().data(), log_sum_exp_.memory().size()) + log_sum_exp_.begin();
  key_lengths_tensor_.device = log_sum_exp_tensor_.device = site_.device = device;
}

void AttentionProblem::collect(DeviceMemory& memory) {
  const auto fetch = [&](HostTensor& into, const fv_tensor& from) {
    std::vector<std::byte>& bytes = into.memory();
    memory.download({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()},
                    static_cast<const std::byte*>(from.data) - into.begin());
  };
  HostTensor* const tensors[] = {&q_, &k_, &v_, &out_, &mask_};
  for (size_t i = 0; i < placed_.size(); ++i) fetch(*tensors[i], placed_[i]);
  memory.download({reinterpret_cast<uint8_t*>(key_lengths_.data()), key_lengths_.size() * sizeof(int32_t)},
                  key_lengths_tensor_.data);
  fetch(log_sum_exp_, log_sum_exp_tensor_);
}

bool AttentionProblem::sees(int64_t row, int64_t query, int64_t key) const {
  const auto is_masked = [this](uint32_t mask) { return (shape_.masks & mask) != 0; };
  const int64_t frame = site_.grid[1] * site_.grid[2];
  if (is_masked(FV_MASK_CAUSAL) && key > query) return false;
  if (is_masked(FV_MASK_FRAME_CAUSAL) && key / frame > query / frame) return false;
  if (is_masked(FV_MASK_KEY_LENGTHS) && key >= key_lengths_[static_cast<size_t>(row)]) return false;
  return !is_masked(FV_MASK_BOOLEAN) || mask_.get({row, 0, query, key}) != 0;
}

// softmax(scale q k^T + bias) v as it is written (Vaswani et al. 2017, equation 1).
AttentionProblem::Expected AttentionProblem::expected() const {
  const ProblemShape& s = shape_;
  const auto size = static_cast<size_t>(s.head_size);
  const std::vector<double> q = q_.values(), k = k_.values(), v = v_.values();
  const auto row_of = [&](const std::vector<double>& x, int64_t length, int64_t heads, int64_t b, int64_t i,
                          int64_t h) { return x.data() + static_cast<size_t>((b * length + i) * heads + h) * size; };
  Expected result;
  double squares = 0, count = 0;
  std::vector<double> weight(static_cast<size_t>(s.keys));
  const int64_t all = s.batch * s.query_heads * s.queries;
  const int64_t rows = s.rows == 0 ? all : std::min(all, std::max<int64_t>(s.rows, 2));
  for (int64_t n = 0; n < rows; ++n) {
    const int64_t at = rows == all ? n : n * (all - 1) / (rows - 1);  // the first and the last row among them
    Row row{at / (s.query_heads * s.queries), at / s.queries % s.query_heads, at % s.queries, std::vector<double>(size),
            0};
    const int64_t kv = row.head / (s.query_heads / s.kv_heads);
    const double* query = row_of(q, s.queries, s.query_heads, row.batch, row.query, row.head);
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (int64_t j = 0; j < s.keys; ++j) {
      const double* key = row_of(k, s.keys, s.kv_heads, row.batch, j, kv);
      double score = 0;
      for (size_t d = 0; d < size; ++d) score += query[d] * key[d];
      score *= site_.scale;
      if ((s.masks & FV_MASK_BIAS) != 0) score += mask_.get({0, row.head, row.query, j});
      if (std::isfinite(score)) squares += score * score, ++count;
      const bool is_seen = sees(row.batch, row.query, j);
      weight[static_cast<size_t>(j)] = is_seen ? score : -std::numeric_limits<double>::infinity();
      top = std::max(top, weight[static_cast<size_t>(j)]);
    }
    row.log_sum_exp = top;
    if (top == -std::numeric_limits<double>::infinity()) {  // the sum over no keys: zeros
      result.rows.push_back(std::move(row));
      continue;
    }
    for (int64_t j = 0; j < s.keys; ++j) {
      const double w = std::exp(weight[static_cast<size_t>(j)] - top);
      const double* value = row_of(v, s.keys, s.kv_heads, row.batch, j, kv);
      for (size_t d = 0; d < size; ++d) row.out[d] += w * value[d];
      total += w;
    }
    for (double& one : row.out) one /= total;
    row.log_sum_exp = top + std::log(total);
    result.rows.push_back(std::move(row));
  }
  result.score_size = std::sqrt(squares / count);
  return result;
}

Deviation AttentionProblem::deviation(const Expected& expected) const {
  double wrong = 0, right = 0;
  Deviation found;
  for (const Row& row : expected.rows)
    for (size_t d = 0; d < row.out.size(); ++d) {
      const double off = std::fabs(out_.get({row.batch, row.query, row.head, static_cast<int64_t>(d)}) - row.out[d]);
      wrong += off * off;
      right += row.out[d] * row.out[d];
      found.worst = std::max(found.worst, off);
    }
  found.relative = std::sqrt(wrong / right);
  // Roundings of scores, weights and results to the type, and sums in float32 at least: each rounding is about one unit
  // of the output, a score's rounding one unit times the score. Independent roundings add up as squares; a factor of 8
  // is left for the rest.
  const double unit = unit_roundoff(shape_.dtype);
  const double terms = static_cast<double>(shape_.head_size + shape_.keys);
  const double sums = std::min(unit, std::ldexp(1.0, -24)) * std::sqrt(terms);
  found.bar = 8 * (1 + expected.score_size) * (unit + sums);
  return found;
}

bool AttentionProblem::is_closed(const Row& row) { return row.log_sum_exp == -std::numeric_limits<double>::infinity(); }

std::string AttentionProblem::closed_rows_fault(const Expected& expected) const {
  for (const Row& row : expected.rows) {
    if (!is_closed(row)) continue;
    for (int64_t d = 0; d < shape_.head_size; ++d)
      if (const double one = out_.get({row.batch, row.query, row.head, d}); one != 0)
        return "out holds " + number(one) + " for a query that sees no key; the sum over no keys is 0";
    if (args_.log_sum_exp == nullptr) continue;
    if (const double given = log_sum_exp_.get({0, row.batch, row.head, row.query}); given != row.log_sum_exp)
      return "log_sum_exp is " + number(given) + " for a query that sees no key, not minus infinity";
  }
  return "";
}

std::string AttentionProblem::numbers_fault(const Expected& expected) const {
  const auto [relative, worst, bar] = deviation(expected);
  if (const std::string fault = closed_rows_fault(expected); !fault.empty()) return fault;
  if (relative > bar)
    return "out differs from the formula in float64 by " + number(relative) + " of its size (at most " + number(bar) +
           ", worst element " + number(worst) + ")";
  if (worst > 16 * bar)
    return "one element of out is wrong by " + number(worst) + " (at most " + number(16 * bar) + ")";
  if (args_.log_sum_exp == nullptr) return "";
  for (const Row& row : expected.rows) {
    const double given = log_sum_exp_.get({0, row.batch, row.head, row.query});
    if (is_closed(row)) continue;
    if (!std::isfinite(given)) return "log_sum_exp is not written whole, or not finite";
    const double off = std::fabs(given - row.log_sum_exp);
    if (!(off <= 16 * bar))
      return "log_sum_exp is wrong by " + number(off) + " (at most " + number(16 * bar) + ", natural logarithm)";
  }
  return "";
}

std::string AttentionProblem::written_fault() const {
  if (q_.memory() != inputs_before_[0] || k_.memory() != inputs_before_[1] || v_.memory() != inputs_before_[2] ||
      mask_.memory() != inputs_before_[3] || key_lengths_ != key_lengths_before_)
    return "run changed its inputs: it wrote into q, k, v, mask or key_lengths, far outside of out, or through a "
           "pointer that it kept from an earlier call";
  if (!out_.gaps_untouched()) return "run wrote outside of out: between its rows, or before or behind it";
  if (!log_sum_exp_.gaps_untouched()) return "run wrote outside of log_sum_exp";
  const std::vector<double> out = out_.values();
  const auto unwritten = std::count_if(out.begin(), out.end(), [](double one) { return !std::isfinite(one); });
  if (unwritten == 0) return "";
  return std::to_string(unwritten) + " elements of out are not written, or not finite: run writes out whole";
}

std::string AttentionProblem::fault(bool approximate) const {
  const std::string fault = written_fault();
  return !fault.empty() || approximate ? fault : numbers_fault(expected());
}

}  // namespace fastvideo::testing
