// The kernels of blocked.hpp, as templates over element type, vector width and register tile. Everything here is forced
// inline into one function for each instruction set, so that one source serves all instruction sets.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>

#include "plugins/attention/common/cpu/blocked.hpp"
#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/common/cpu/simd.hpp"

namespace fastvideo::cpu {

/// Room for count floats on a cache line.
class AlignedFloats {
 public:
  explicit AlignedFloats(int64_t count) : room_(static_cast<float*>(::operator new(count * sizeof(float), kLine))) {}
  float* get() { return room_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kLine); }
  };
  std::unique_ptr<float, Free> room_;
};

constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

/// The padded head size of values and outputs: whole vectors of the widest kind.
constexpr int64_t padded_size(int64_t size) { return round_up(size, 16); }

/// A packed block is keys transposed, [size][kBlockKeys], then values, [kBlockKeys][padded size].
constexpr int64_t packed_block(int64_t size) { return kBlockKeys * (size + padded_size(size)); }

/// A register tile of kRows rows and kVectors vectors: c = a b, or c += a b. a is [kRows, depth].
template <int kLanes, int kRows, int kVectors, bool kAdd>
[[gnu::always_inline]] inline void product_tile(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                                                float* c, int64_t c_stride, int64_t depth) {
  using V = Floats<kLanes>;
  V sum[kRows][kVectors];
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < kVectors; ++j)
      sum[i][j] = kAdd ? *reinterpret_cast<const V*>(c + i * c_stride + j * kLanes) : V{};
  for (int64_t k = 0; k < depth; ++k) {
    V row[kVectors];
    for (int64_t j = 0; j < kVectors; ++j) row[j] = *reinterpret_cast<const V*>(b + k * b_stride + j * kLanes);
    for (int64_t i = 0; i < kRows; ++i) {
      const float x = a[i * a_stride + k];
      for (int64_t j = 0; j < kVectors; ++j) sum[i][j] += x * row[j];
    }
  }
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < kVectors; ++j) *reinterpret_cast<V*>(c + i * c_stride + j * kLanes) = sum[i][j];
}

/// c = a b or c += a b for rows that are a multiple of kRows and columns that are a multiple of kLanes.
template <int kLanes, int kRows, int kVectors, bool kAdd>
[[gnu::always_inline]] inline void product(const float* a, int64_t a_stride, const float* b, float* c, int64_t columns,
                                           int64_t rows, int64_t depth) {
  constexpr int64_t kWidth = int64_t{kLanes} * kVectors;
  int64_t j = 0;
  for (; j + kWidth <= columns; j += kWidth)
    for (int64_t i = 0; i < rows; i += kRows)
      product_tile<kLanes, kRows, kVectors, kAdd>(a + i * a_stride, a_stride, b + j, columns, c + i * columns + j,
                                                  columns, depth);
  for (; j < columns; j += kLanes)
    for (int64_t i = 0; i < rows; i += kRows)
      product_tile<kLanes, kRows, 1, kAdd>(a + i * a_stride, a_stride, b + j, columns, c + i * columns + j, columns,
                                           depth);
}

/// Converts key blocks into packed; see Kernels::pack.
template <class T>
[[gnu::always_inline]] inline void pack_blocks(const Job& job, int64_t b, float* packed, int64_t begin, int64_t end) {
  const int64_t size = job.shape.size, padded = padded_size(size);
  const int64_t blocks = (job.shape.keys + kBlockKeys - 1) / kBlockKeys;
  for (int64_t task = begin; task < end; ++task) {
    const int64_t head = task / blocks, first = task % blocks * kBlockKeys;
    const int64_t count = std::min(kBlockKeys, job.shape.keys - first);
    const auto& ks = job.k_strides.s;
    const auto& vs = job.v_strides.s;
    const T* k = static_cast<const T*>(job.k) + b * ks[0] + first * ks[1] + head * ks[2];
    const T* v = static_cast<const T*>(job.v) + b * vs[0] + first * vs[1] + head * vs[2];
    float* keys = packed + task * packed_block(size);
    float* values = keys + kBlockKeys * size;
    for (int64_t j = 0; j < kBlockKeys; ++j) {
      const bool exists = j < count;
      for (int64_t d = 0; d < size; ++d) keys[d * kBlockKeys + j] = exists ? to_float(k[j * ks[1] + d]) : 0.0F;
      float* row = values + j * padded;
      for (int64_t d = 0; d < size; ++d) row[d] = exists ? to_float(v[j * vs[1] + d]) : 0.0F;
      for (int64_t d = size; d < padded; ++d) row[d] = 0.0F;
    }
  }
}

/// Applies job.mask to scores of rows [first_query, +rows) and keys [first_key, +keys), which are in units of log2(e).
void apply_mask(const Job& job, int64_t b, int64_t head, int64_t first_query, int64_t rows, int64_t first_key,
                int64_t keys, float* scores);

/// Turns a row of scores into probabilities up to a common factor, and brings sum and output row to the new maximum.
template <int kLanes>
[[gnu::always_inline]] inline void online_softmax_row(float* scores, float* output, int64_t padded, float& maximum,
                                                      float& sum) {
  using V = Floats<kLanes>;
  V* row = reinterpret_cast<V*>(scores);
  V top = row[0];
  for (int64_t j = 1; j < kBlockKeys / kLanes; ++j) top = row[j] > top ? row[j] : top;
  float block_maximum = top[0];
  for (int i = 1; i < kLanes; ++i) block_maximum = std::max(block_maximum, top[i]);

  const float now = std::max(maximum, block_maximum);
  if (now > maximum) {
    const float factor = std::exp2(maximum - now);
    sum *= factor;
    for (int64_t d = 0; d < padded; d += kLanes) *reinterpret_cast<V*>(output + d) *= factor;
    maximum = now;
  }
  // A row that has seen no key yet: -inf - -inf would be NaN.
  const float reference = maximum == -std::numeric_limits<float>::infinity() ? 0.0F : maximum;
  V total{};
  for (int64_t j = 0; j < kBlockKeys / kLanes; ++j) {
    V x = row[j] - reference;
    exp2_in_place<kLanes>(x);
    row[j] = x;
    total += x;
  }
  for (int i = 0; i < kLanes; ++i) sum += total[i];
}

/// Computes query tiles; see Kernels::attend.
template <class T, int kLanes, int kRows, int kVectors>
[[gnu::always_inline]] inline void attend_tiles(const Job& job, int64_t b, const float* packed,
                                                std::span<const QueryTile> tiles) {
  static_assert(kTileQueries % kRows == 0);
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  const CallShape& s = job.shape;
  const int64_t padded = padded_size(s.size), blocks = (s.keys + kBlockKeys - 1) / kBlockKeys, keys = job.keys_of(b);
  AlignedFloats queries(kTileQueries * s.size), scores(kTileQueries * kBlockKeys), output(kTileQueries * padded);
  const float to_log2 = job.scale * std::numbers::log2e_v<float>;

  for (const QueryTile& tile : tiles) {
    const int64_t head = tile.head, first = tile.first, count = tile.count, rows = round_up(count, kRows);
    const auto& qs = job.q_strides.s;
    const T* q = static_cast<const T*>(job.q) + b * qs[0] + first * qs[1] + head * qs[2];
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t d = 0; d < s.size; ++d)
        queries.get()[i * s.size + d] = i < count ? to_float(q[i * qs[1] + d]) * to_log2 : 0.0F;
    std::fill_n(output.get(), rows * padded, 0.0F);
    float maximum[kTileQueries], sum[kTileQueries];
    std::fill_n(maximum, kTileQueries, kNone);
    std::fill_n(sum, kTileQueries, 0.0F);

    const float* of_head = packed + head / (s.heads / s.kv_heads) * blocks * packed_block(s.size);
    for (const KeyRun& run : tile.keys) {
      const int64_t end = std::min(run.start + run.length, keys);
      for (int64_t key = run.start; key < end;) {
        // A run begins and ends anywhere inside a block: keys [from, to) of it are seen.
        const int64_t first_key = key / kBlockKeys * kBlockKeys, from = key - first_key;
        const int64_t to = std::min(kBlockKeys, end - first_key), seen = to - from;
        const float* block = of_head + key / kBlockKeys * packed_block(s.size);
        product<kLanes, kRows, kVectors, false>(queries.get(), s.size, block, scores.get(), kBlockKeys, rows, s.size);
        if (job.mask != nullptr) apply_mask(job, b, head, first, count, key, seen, scores.get() + from);
        for (int64_t i = 0; i < rows; ++i) {
          float* row = scores.get() + i * kBlockKeys;
          std::fill(row, row + from, kNone);
          std::fill(row + to, row + kBlockKeys, kNone);
          online_softmax_row<kLanes>(row, output.get() + i * padded, padded, maximum[i], sum[i]);
        }
        // Only keys that are seen: values beside them may be NaN, which a probability of 0 does not undo.
        product<kLanes, kRows, kVectors, true>(scores.get() + from, kBlockKeys,
                                               block + kBlockKeys * s.size + from * padded, output.get(), padded, rows,
                                               seen);
        key += seen;
      }
    }

    const auto& os = job.out_strides.s;
    T* out = static_cast<T*>(job.out) + b * os[0] + first * os[1] + head * os[2];
    for (int64_t i = 0; i < count; ++i) {
      const float factor = sum[i] == 0 ? 0.0F : 1 / sum[i];  // a row that sees no key is zeros
      for (int64_t d = 0; d < s.size; ++d) out[i * os[1] + d] = from_float<T>(output.get()[i * padded + d] * factor);
    }
    if (job.log_sum_exp == nullptr) continue;
    const auto& ls = job.log_sum_exp_strides.s;
    for (int64_t i = 0; i < count; ++i)
      job.log_sum_exp[b * ls[0] + head * ls[1] + (first + i) * ls[2]] =
          sum[i] == 0 ? kNone : maximum[i] * std::numbers::ln2_v<float> + std::log(sum[i]);
  }
}

}  // namespace fastvideo::cpu
