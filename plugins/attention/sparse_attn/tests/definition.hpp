// SPARSE_ATTN in float64, from the definition in the README alone: which key blocks a block of queries visits, and
// attention to them.
#pragma once

#include <fastvideo/attention.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/common/tests/site.hpp"

namespace fastvideo::sparse {

/// A sequence of text, video and text tokens, and its division into blocks.
struct Problem {
  int64_t grid[3] = {1, 1, 1};
  int64_t before = 0, after = 0, sinks = 0;
  int64_t rows = 16, width = 16;  ///< of a block of queries and of keys
  double share = 0, mass = 0;     ///< one of them
  int64_t batch = 1, heads = 1, kv_heads = 1, size = 16;
  std::vector<int32_t> key_lengths = {};
  float deviation = 1;  ///< of queries and keys

  int64_t video() const { return grid[0] * grid[1] * grid[2]; }
  int64_t tokens() const { return before + video() + after; }
  int64_t keys_of(int64_t b) const {
    return key_lengths.empty() ? tokens() : std::clamp<int64_t>(key_lengths[static_cast<size_t>(b)], 0, tokens());
  }
  std::string text() const {
    return std::to_string(before) + "+" + std::to_string(video()) + "+" + std::to_string(after) + " tokens, blocks " +
           std::to_string(rows) + "x" + std::to_string(width) + ", " +
           (mass > 0 ? "mass " + std::to_string(mass) : "share " + std::to_string(share)) + ", sinks " +
           std::to_string(sinks) + ", B " + std::to_string(batch) + " H " + std::to_string(heads) + "/" +
           std::to_string(kv_heads) + " D " + std::to_string(size);
  }
  /// Asks for the log-sum-exp.
  fv_attention_site site(int32_t device, fv_dtype dtype) const {
    fv_attention_site made =
        self_site(device, dtype, tokens(), static_cast<int32_t>(heads), static_cast<int32_t>(size));
    if (before + after > 0) made.role = FV_ROLE_DIT_JOINT;
    made.masks = key_lengths.empty() ? 0 : FV_MASK_KEY_LENGTHS;
    made.require = FV_REQUIRE_LOG_SUM_EXP;
    made.kv_heads = static_cast<int32_t>(kv_heads);
    made.layers = 4;
    made.batch = batch;
    std::copy(grid, grid + 3, made.grid);
    made.tokens_before = before;
    made.tokens_after = after;
    return made;
  }
};

/// Elements of a tensor [batch, token, head, size], in the order of a plan.
template <class T>
struct Elements {
  int64_t tokens, heads, size;
  std::vector<T> data;

  Elements(int64_t batch, int64_t tokens, int64_t heads, int64_t size)
      : tokens(tokens), heads(heads), size(size), data(static_cast<size_t>(batch * tokens * heads * size)) {}
  T* row(int64_t b, int64_t token, int64_t head) {
    return data.data() + static_cast<size_t>(((b * tokens + token) * heads + head) * size);
  }
  double at(int64_t b, int64_t token, int64_t head, int64_t d) { return double{cpu::to_float(row(b, token, head)[d])}; }
  /// Neighbouring tokens resemble each other, as in a video, so that some key blocks matter more than others.
  void fill_walk(std::mt19937& random, float deviation) {
    std::normal_distribution<float> normal;
    std::vector<float> place(static_cast<size_t>(heads * size));
    for (size_t i = 0; i < data.size(); i += place.size())
      for (size_t d = 0; d < place.size(); ++d) {
        place[d] = 0.95F * place[d] + 0.3122F * normal(random);
        data[i + d] = cpu::from_float<T>(deviation * (place[d] + 0.3F * normal(random)));
      }
  }
  void fill_normal(std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (T& x : data) x = cpu::from_float<T>(normal(random));
  }
};

/// Sets keys and values that a batch row does not have to NaN: they must not be used.
template <class T>
void fill_missing_keys(const Problem& p, Elements<T>& k, Elements<T>& v) {
  for (int64_t b = 0; !p.key_lengths.empty() && b < p.batch; ++b)
    for (int64_t j = p.keys_of(b); j < p.tokens(); ++j)
      for (int64_t h = 0; h < p.kv_heads; ++h)
        for (Elements<T>* one : {&k, &v})
          std::fill_n(one->row(b, j, h), p.size, cpu::from_float<T>(std::numeric_limits<float>::quiet_NaN()));
}

/// The mean of tokens [first, end).
template <class T>
std::vector<double> mean(Elements<T>& x, int64_t b, int64_t first, int64_t end, int64_t head) {
  std::vector<double> sum(static_cast<size_t>(x.size));
  for (int64_t i = first; i < end; ++i)
    for (int64_t d = 0; d < x.size; ++d)
      sum[static_cast<size_t>(d)] += x.at(b, i, head, d) / static_cast<double>(end - first);
  return sum;
}

/// The estimated mass of every key block for a block of queries.
template <class T>
std::vector<double> masses(const Problem& p, Elements<T>& q, Elements<T>& k, int64_t b, int64_t head, int64_t block) {
  const int64_t keys = p.keys_of(b), kv = head / (p.heads / p.kv_heads), part = p.width / 4;
  std::vector<std::vector<double>> key_means;
  for (int64_t first = 0; first < keys; first += part)
    key_means.push_back(mean(k, b, first, std::min(first + part, keys), kv));
  std::vector<double> mass(static_cast<size_t>((keys + p.width - 1) / p.width));
  const int64_t end = std::min((block + 1) * p.rows, p.tokens());
  int64_t parts = 0;
  for (int64_t first = block * p.rows; first < end; first += p.rows / 4, ++parts) {
    const std::vector<double> row = mean(q, b, first, std::min(first + p.rows / 4, end), head);
    std::vector<double> weight;
    double all = 0;
    for (size_t i = 0; i < key_means.size(); ++i) {
      double score = 0;
      for (size_t d = 0; d < row.size(); ++d) score += row[d] * key_means[i][d];
      const int64_t tokens = std::min(part, keys - static_cast<int64_t>(i) * part);
      all +=
          weight.emplace_back(static_cast<double>(tokens) * std::exp(score / std::sqrt(static_cast<double>(p.size))));
    }
    for (size_t i = 0; i < weight.size(); ++i) mass[i / 4] += weight[i] / all;
  }
  for (double& x : mass) x /= static_cast<double>(parts);
  return mass;
}

/// Whether a block of queries visits a key block whatever its mass.
inline bool always(const Problem& p, int64_t b, int64_t block, int64_t key_block) {
  const int64_t first = key_block * p.width, end = std::min(first + p.width, p.keys_of(b));
  for (int64_t j = first; j < end; ++j) {
    if (j < p.before + p.sinks || j >= p.tokens() - p.after) return true;
    if (j >= block * p.rows && j < (block + 1) * p.rows) return true;
  }
  return false;
}

/// Whether a block of queries holds a token beside the video, and so visits everything.
inline bool visits_all(const Problem& p, int64_t block) {
  for (int64_t i = block * p.rows; i < std::min((block + 1) * p.rows, p.tokens()); ++i)
    if (i < p.before || i >= p.tokens() - p.after) return true;
  return false;
}

/// The key blocks that a block of queries visits.
template <class T>
std::set<int64_t> visited(const Problem& p, Elements<T>& q, Elements<T>& k, int64_t b, int64_t head, int64_t block) {
  const std::vector<double> mass = masses(p, q, k, b, head, block);
  std::set<int64_t> chosen;
  double held = 0;
  for (size_t j = 0; j < mass.size(); ++j)
    if (visits_all(p, block) || always(p, b, block, static_cast<int64_t>(j))) {
      chosen.insert(static_cast<int64_t>(j));
      held += mass[j];
    }
  const auto wanted = std::max(1.0, std::floor(p.share * static_cast<double>(mass.size()) + 0.5));
  while (chosen.size() < mass.size() && (p.mass > 0 ? held < p.mass : static_cast<double>(chosen.size()) < wanted)) {
    int64_t best = -1;
    for (size_t j = 0; j < mass.size(); ++j)
      if (!chosen.contains(static_cast<int64_t>(j)) && (best < 0 || mass[j] > mass[static_cast<size_t>(best)]))
        best = static_cast<int64_t>(j);
    chosen.insert(best);
    held += mass[static_cast<size_t>(best)];
  }
  return chosen;
}

/// With a threshold: the key blocks that queries [first, end) do not leave out. Blocks are looked at from the last to
/// the first; one that is not the first of them is left out where each of its weights is less than `threshold` of the
/// largest so far of its query. A group of fewer than `group` queries leaves out nothing. close: set where a weight is
/// nearly at the threshold, so that rounding may decide.
template <class T>
std::set<int64_t> above(const Problem& p, double threshold, Elements<T>& q, Elements<T>& k, int64_t b, int64_t head,
                        int64_t first, int64_t end, int64_t group, bool& close) {
  const int64_t keys = p.keys_of(b), kv = head / (p.heads / p.kv_heads);
  std::vector<double> largest(static_cast<size_t>(end - first), -std::numeric_limits<double>::infinity());
  std::set<int64_t> kept;
  for (int64_t block = (keys + p.width - 1) / p.width - 1; block >= 0; --block) {
    double nearest = -std::numeric_limits<double>::infinity();  // to its query's largest, of all pairs
    std::vector<double> top = largest;
    for (int64_t i = first; i < end; ++i)
      for (int64_t j = block * p.width; j < std::min((block + 1) * p.width, keys); ++j) {
        double score = 0;
        for (int64_t d = 0; d < p.size; ++d) score += q.at(b, i, head, d) * k.at(b, j, kv, d);
        score /= std::sqrt(static_cast<double>(p.size));
        const auto at = static_cast<size_t>(i - first);
        nearest = std::max(nearest, score - largest[at]);
        top[at] = std::max(top[at], score);
      }
    if (std::abs(nearest - std::log(threshold)) < 1e-3) close = true;
    if (nearest < std::log(threshold) && end - first == group) continue;
    kept.insert(block);
    largest = top;
  }
  return kept;
}

/// The error of an output against attention to chosen key blocks.
struct Difference {
  double squares = 0, of_result = 0;  ///< sums of squares, of the difference and of the result
  double log_sum_exp = 0;             ///< the largest difference
  double relative() const { return of_result > 0 ? std::sqrt(squares / of_result) : std::sqrt(squares); }
};

/// Adds the errors of rows [first, end) of a head. lse: [batch, head, token].
template <class T>
void compare_rows(const Problem& p, Elements<T>& q, Elements<T>& k, Elements<T>& v, Elements<T>& out,
                  const std::vector<float>& lse, int64_t b, int64_t head, int64_t first, int64_t end,
                  const std::set<int64_t>& chosen, Difference& into) {
  const int64_t keys = p.keys_of(b), kv = head / (p.heads / p.kv_heads);
  for (int64_t i = first; i < end; ++i) {
    std::vector<double> score(static_cast<size_t>(keys), -std::numeric_limits<double>::infinity());
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (int64_t j = 0; j < keys; ++j) {
      if (!chosen.contains(j / p.width)) continue;
      double& s = score[static_cast<size_t>(j)] = 0;
      for (int64_t d = 0; d < p.size; ++d) s += q.at(b, i, head, d) * k.at(b, j, kv, d);
      top = std::max(top, s /= std::sqrt(static_cast<double>(p.size)));
    }
    std::vector<double> result(static_cast<size_t>(p.size));
    for (int64_t j = 0; j < keys; ++j) {
      if (!chosen.contains(j / p.width)) continue;
      const double weight = std::exp(score[static_cast<size_t>(j)] - top);
      total += weight;
      for (int64_t d = 0; d < p.size; ++d) result[static_cast<size_t>(d)] += weight * v.at(b, j, kv, d);
    }
    for (int64_t d = 0; d < p.size; ++d) {
      const double right = total > 0 ? result[static_cast<size_t>(d)] / total : 0;
      const double off = out.at(b, i, head, d) - right;
      into.squares += off * off;
      into.of_result += right * right;
    }
    const double got = double{lse[static_cast<size_t>((b * p.heads + head) * p.tokens() + i)]};
    const double off = total > 0 ? std::abs(got - (top + std::log(total)))
                                 : (got == top ? 0 : std::numeric_limits<double>::infinity());
    into.log_sum_exp = off <= into.log_sum_exp ? into.log_sum_exp : off;  // and NaN
  }
}

/// The same for a block of queries.
template <class T>
void compare(const Problem& p, Elements<T>& q, Elements<T>& k, Elements<T>& v, Elements<T>& out,
             const std::vector<float>& lse, int64_t b, int64_t head, int64_t block, const std::set<int64_t>& chosen,
             Difference& into) {
  compare_rows(p, q, k, v, out, lse, b, head, block * p.rows, std::min((block + 1) * p.rows, p.tokens()), chosen, into);
}

}  // namespace fastvideo::sparse
