#include "plugins/attention/sage_attn/cpu/attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/sage_attn/cpu/e4m3.hpp"
#include "plugins/attention/sage_attn/cpu/quantised_keys.hpp"

namespace fastvideo::sage {
namespace {

using cpu::from_float;
using cpu::to_float;

constexpr float kNone = -std::numeric_limits<float>::infinity();

// Softmax's reference lags behind the maximum by up to 2^4, which the range of e4m3 has to spare: the score at the
// reference weighs 28, and no score weighs more than 448.
constexpr float kSlackLog2 = 4, kReferenceWeight = 28;

enum class Values { as_given, rounded, e4m3 };  // and the type of the probabilities: float, the inputs' type, e4m3

template <class T>
struct Problem {
  const Settings& settings;
  const CallShape& shape;
  float scale;
  bool full_precision;
  TensorView<const T, 4> q, k, v;
  TensorView<T, 4> out;
  const fv_tensor* log_sum_exp;
  char* scratch;  // a QuantisedKeys for each key head

  QuantisedKeys quantised(int64_t kv_head) const {
    return QuantisedKeys::in(scratch + kv_head * static_cast<int64_t>(QuantisedKeys::bytes(shape.keys, shape.size)),
                             shape.keys, shape.size);
  }
  Values values() const {
    return full_precision ? Values::as_given : settings.fp8_values ? Values::e4m3 : Values::rounded;
  }
};

int32_t dot(const int8_t* a, const int8_t* b, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += int32_t{a[i]} * int32_t{b[i]};
  return sum;
}

float dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// 64 queries of one head over all keys, a block of 128 at a time: scores, online softmax (Milakov and Gimelshein 2018),
// and a separate sum for each block, added to the output in float.
template <class T>
class QueryBlock {
 public:
  explicit QueryBlock(const Problem<T>& problem)
      : p_(problem),
        size_(problem.shape.size),
        q_(kQueryBlock * size_),
        q8_(kQueryBlock * size_),
        q_mean_(size_),
        rows_(kKeyBlock * size_),
        scores_(kQueryBlock * kKeyBlock),
        block_(size_),
        output_(kQueryBlock * size_) {
    for (int code = 0; code < 256; ++code) e4m3_[code] = from_e4m3(static_cast<uint8_t>(code));
  }

  void attend(int64_t batch, int64_t head, int64_t first) {
    batch_ = batch;
    head_ = head;
    kv_head_ = head / (p_.shape.heads / p_.shape.kv_heads);
    first_ = first;
    count_ = std::min(kQueryBlock, p_.shape.queries - first);
    quantised_ = p_.quantised(kv_head_);
    load_queries();
    std::fill(output_.begin(), output_.end(), 0.0F);
    reference_.fill(kNone);
    sum_.fill(0);
    // The last block first, as the Hopper kernel: the reference follows the order of the blocks.
    for (int64_t block = (p_.shape.keys + kKeyBlock - 1) / kKeyBlock; block-- > 0;) {
      const int64_t key = block * kKeyBlock;
      const int64_t keys = std::min(kKeyBlock, p_.shape.keys - key);
      if (p_.full_precision)
        full_precision_scores(key, keys);
      else
        integer_scores(key, keys);
      load_values(key, keys);
      raise_references(keys);
      for (int64_t i = 0; i < count_; ++i) add_block(i, keys);
    }
    for (int64_t i = 0; i < count_; ++i) store(i);
  }

 private:
  void load_queries() {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t d = 0; d < size_; ++d) q_[i * size_ + d] = to_float((&p_.q(batch_, first_ + i, head_, 0))[d]);
    std::fill(q_mean_.begin(), q_mean_.end(), 0.0F);
    if (p_.full_precision) return;
    if (p_.settings.smooth_q) {
      for (int64_t i = 0; i < count_; ++i)
        for (int64_t d = 0; d < size_; ++d) q_mean_[d] += q_[i * size_ + d];
      for (float& x : q_mean_) x /= static_cast<float>(count_);
    }
    std::array<float, kQueryBlock> largest{};  // of each group, at its first query
    const auto group_of = [&](int64_t i) {
      return p_.settings.per_block ? 0 : i / kQueryGroup * kQueryGroup + i % kQueryScales;
    };
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t d = 0; d < size_; ++d)
        largest[group_of(i)] = larger(largest[group_of(i)], std::fabs(q_[i * size_ + d] - q_mean_[d]));
    for (int64_t i = 0; i < count_; ++i) {
      const Scale scale = Scale::of(largest[group_of(i)], 127);
      q_scales_[i] = scale.step;
      for (int64_t d = 0; d < size_; ++d)
        q8_[i * size_ + d] = to_int8((q_[i * size_ + d] - q_mean_[d]) * scale.per_unit());
    }
  }

  float to_log2() const { return p_.scale * std::numbers::log2e_v<float>; }

  void load_keys(int64_t first, int64_t keys) {
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t d = 0; d < size_; ++d) rows_[j * size_ + d] = to_float((&p_.k(batch_, first + j, kv_head_, 0))[d]);
  }

  // With smooth_q: the part of the scores that comes from the queries' mean, in full precision.
  float mean_score(int64_t j) const {
    float sum = 0;
    for (int64_t d = 0; d < size_; ++d) sum += q_mean_[d] * (rows_[j * size_ + d] - quantised_.mean[d]);
    return sum;
  }

  void integer_scores(int64_t first, int64_t keys) {
    if (p_.settings.smooth_q) load_keys(first, keys);
    const float* scales = quantised_.k_scales + first / kKeyBlock * kKeyScales;
    for (int64_t j = 0; j < keys; ++j) {
      const float k_scale = scales[(first + j) % 8 / 2] * to_log2();
      const float of_mean = p_.settings.smooth_q ? mean_score(j) * to_log2() : 0;
      for (int64_t i = 0; i < count_; ++i)
        scores_[i * kKeyBlock + j] =
            static_cast<float>(dot(&q8_[i * size_], quantised_.keys + (first + j) * size_, size_)) *
                (q_scales_[i] * k_scale) +
            of_mean;
    }
  }

  void full_precision_scores(int64_t first, int64_t keys) {
    load_keys(first, keys);
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < keys; ++j)
        scores_[i * kKeyBlock + j] = dot(&q_[i * size_], &rows_[j * size_], size_) * to_log2();
  }

  void load_values(int64_t first, int64_t keys) {
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t d = 0; d < size_; ++d)
        rows_[j * size_ + d] = p_.values() == Values::e4m3 ? e4m3_[quantised_.values[(first + j) * size_ + d]]
                                                           : to_float((&p_.v(batch_, first + j, kv_head_, 0))[d]);
  }

  // Where one of sixteen rows exceeds its reference by the slack, all sixteen are raised to their maxima so far, as in
  // a warp of the Hopper kernel.
  void raise_references(int64_t keys) {
    std::array<float, kQueryBlock> top{};
    for (int64_t i = 0; i < count_; ++i)
      top[i] = *std::max_element(&scores_[i * kKeyBlock], &scores_[i * kKeyBlock] + keys);
    for (int64_t first = 0; first < count_; first += kQueryGroup) {
      const int64_t end = std::min(first + kQueryGroup, count_);
      bool exceeds = false;
      for (int64_t i = first; i < end; ++i) exceeds |= top[i] > reference_[i] + kSlackLog2;
      for (int64_t i = first; i < end; ++i) {
        const float now = exceeds ? std::max(reference_[i], top[i]) : reference_[i];
        factor_[i] = exceeds ? std::exp2(reference_[i] - now) : 1;
        reference_[i] = now;
      }
    }
  }

  float reference_log2() const { return p_.values() == Values::e4m3 ? std::log2(kReferenceWeight) : 0; }

  // Row i of a key block: from scores to probabilities, up to a factor of the row, and their product with the values.
  void add_block(int64_t i, int64_t keys) {
    const float* row = &scores_[i * kKeyBlock];
    const float factor = factor_[i], offset = reference_log2() - reference_[i];
    std::fill(block_.begin(), block_.end(), 0.0F);
    float total = 0;
    for (int64_t j = 0; j < keys; ++j) {
      float weight = std::exp2(row[j] + offset);
      if (p_.values() == Values::e4m3) weight = round_to_e4m3(weight);
      total += weight;  // of the e4m3 weights, if they are multiplied in e4m3, as in the kernel
      if (p_.values() == Values::rounded) weight = to_float(from_float<T>(weight));
      for (int64_t d = 0; d < size_; ++d) block_[d] += weight * rows_[j * size_ + d];
    }
    sum_[i] = sum_[i] * factor + total;
    for (int64_t d = 0; d < size_; ++d) output_[i * size_ + d] = output_[i * size_ + d] * factor + block_[d];
  }

  void store(int64_t i) {
    T* out = &p_.out(batch_, first_ + i, head_, 0);
    for (int64_t d = 0; d < size_; ++d) {
      float x = p_.shape.keys == 0 ? 0 : output_[i * size_ + d] / sum_[i];
      // Weights sum to 1: adds the rounding error that all values of a channel have in common.
      if (p_.values() == Values::e4m3) x = x * quantised_.v_scales[d] + quantised_.v_residual[d];
      out[d] = from_float<T>(x);
    }
    if (p_.log_sum_exp == nullptr) return;
    float& log_sum_exp = TensorView<float, 3>(*p_.log_sum_exp)(batch_, head_, first_ + i);
    log_sum_exp = (reference_[i] + std::log2(sum_[i]) - reference_log2()) * std::numbers::ln2_v<float>;
    // Subtracting the keys' mean shifts all scores of a row alike: softmax does not change, the log-sum-exp does.
    if (!p_.full_precision && p_.shape.keys > 0) log_sum_exp += p_.scale * dot(&q_[i * size_], quantised_.mean, size_);
  }

  const Problem<T>& p_;
  int64_t size_, batch_ = 0, head_ = 0, kv_head_ = 0, first_ = 0, count_ = 0;
  QuantisedKeys quantised_{};
  std::array<float, 256> e4m3_{};
  std::vector<float> q_;
  std::vector<int8_t> q8_;
  std::vector<float> q_mean_;
  std::array<float, kQueryBlock> q_scales_{}, reference_{}, factor_{}, sum_{};
  std::vector<float> rows_;    // of keys or values, [kKeyBlock, size]
  std::vector<float> scores_;  // [kQueryBlock, kKeyBlock], in units of log(2)
  std::vector<float> block_, output_;
};

template <class T>
void attend_typed(const Host& host, const Settings& settings, double scale, const CallShape& shape,
                  const fv_attention_args& args) {
  const Problem<T> problem{settings,
                           shape,
                           static_cast<float>(scale),
                           settings.in_full_precision(args),
                           TensorView<const T, 4>(*args.q),
                           TensorView<const T, 4>(*args.k),
                           TensorView<const T, 4>(*args.v),
                           TensorView<T, 4>(*args.out),
                           args.log_sum_exp,
                           static_cast<char*>(args.scratch)};
  const int64_t blocks = (shape.queries + kQueryBlock - 1) / kQueryBlock;
  for (int64_t b = 0; b < shape.batch; ++b) {
    if (!problem.full_precision)
      host.parallel_for(shape.kv_heads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t head = begin; head < end; ++head)
          quantise<T>(settings, {problem.k, b, head}, {problem.v, b, head}, problem.quantised(head));
      });
    host.parallel_for(shape.heads * blocks, 1, [&](int64_t begin, int64_t end) {
      QueryBlock<T> block(problem);
      for (int64_t task = begin; task < end; ++task) block.attend(b, task / blocks, task % blocks * kQueryBlock);
    });
  }
}

}  // namespace

uint64_t scratch_bytes(const fv_attention_site& site) {
  return static_cast<uint64_t>(site.kv_heads) * QuantisedKeys::bytes(site.key_length, site.head_size);
}

void attend(const Host& host, const Settings& settings, double scale, const CallShape& shape,
            const fv_attention_args& args) {
  const fv_dtype dtype = args.q->dtype;
  if (same_dtype(dtype, kFloat32)) return attend_typed<float>(host, settings, scale, shape, args);
  if (same_dtype(dtype, kBFloat16)) return attend_typed<cpu::BFloat16>(host, settings, scale, shape, args);
  if (same_dtype(dtype, kFloat16)) return attend_typed<cpu::Float16>(host, settings, scale, shape, args);
  throw std::invalid_argument("attention on the CPU in " + dtype_name(dtype) + ": float32, bfloat16 or float16");
}

}  // namespace fastvideo::sage
