// Sliding tile attention in float64, from its definition: which token sees which is asked for every pair, in the grid's
// own coordinates, and never read from lists of tiles.
#pragma once

#include <fastvideo/attention.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/common/video/extent.hpp"

namespace fastvideo::sliding_tile {

/// A sequence of text, video and text tokens; tokens after `text_length` of the text behind do not exist.
struct ProblemSize {
  Extent grid, tile;
  int64_t before = 0, after = 0;
  int64_t batch = 1, heads = 1, kv_heads = 1, size = 16;
  std::vector<int32_t> key_lengths = {};  ///< of each batch row, or empty

  int64_t video() const { return grid.volume(); }
  int64_t tokens() const { return before + video() + after; }
  std::string text() const {
    return "grid " + to_text(grid) + " in " + to_text(tile) + ", text " + std::to_string(before) + " and " +
           std::to_string(after) + ", heads " + std::to_string(heads) + "/" + std::to_string(kv_heads);
  }

  /// Asks for the log-sum-exp.
  fv_attention_site site(int32_t device, fv_dtype dtype, int32_t layers = 1) const {
    fv_attention_site made =
        self_site(device, dtype, tokens(), static_cast<int32_t>(heads), static_cast<int32_t>(size));
    if (before + after > 0) made.role = FV_ROLE_DIT_JOINT;
    made.masks = key_lengths.empty() ? 0 : FV_MASK_KEY_LENGTHS;
    made.require = FV_REQUIRE_LOG_SUM_EXP;
    made.kv_heads = static_cast<int32_t>(kv_heads);
    made.layers = layers;
    made.batch = batch;
    std::copy(grid.axis.begin(), grid.axis.end(), made.grid);
    made.tokens_before = before;
    made.tokens_after = after;
    return made;
  }
};

/// Whether one token of the sequence, in raster order, sees another under a window.
inline bool sees(const ProblemSize& p, const Extent& window, int64_t query, int64_t key) {
  const auto is_video = [&](int64_t i) { return i >= p.before && i < p.before + p.video(); };
  if (!is_video(query) || !is_video(key)) return true;
  int64_t q = query - p.before, k = key - p.before;
  for (size_t a = 3; a-- > 0; q /= p.grid[a], k /= p.grid[a]) {
    const int64_t tile = std::min(p.tile[a], p.grid[a]), tiles = (p.grid[a] + tile - 1) / tile, half = window[a] / 2;
    const int64_t centre = std::min(std::max(q % p.grid[a] / tile, half), tiles - 1 - half);
    if (std::abs(centre - k % p.grid[a] / tile) > half) return false;
  }
  return true;
}

/// Elements of a tensor [batch, token, head, size] whose tokens are in the order of a plan.
template <class T>
struct Elements {
  int64_t tokens, heads, size;
  std::vector<T> data;

  Elements(int64_t batch, int64_t tokens, int64_t heads, int64_t size)
      : tokens(tokens), heads(heads), size(size), data(static_cast<size_t>(batch * tokens * heads * size)) {}
  T* row(int64_t b, int64_t token, int64_t head) {
    return data.data() + static_cast<size_t>(((b * tokens + token) * heads + head) * size);
  }
  void fill_normal(std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (T& x : data) x = cpu::from_float<T>(normal(random));
  }
};

/// Sets keys and values that a batch row does not have to NaN: they must not be used.
template <class T>
void fill_missing_keys(const ProblemSize& p, Elements<T>& k, Elements<T>& v) {
  for (size_t b = 0; b < p.key_lengths.size(); ++b)
    for (int64_t j = std::max(0, p.key_lengths[b]); j < p.tokens(); ++j)
      for (int64_t h = 0; h < p.kv_heads; ++h)
        for (Elements<T>* one : {&k, &v})
          std::fill_n(one->row(static_cast<int64_t>(b), j, h), p.size,
                      cpu::from_float<T>(std::numeric_limits<float>::quiet_NaN()));
}

/// The error of an output against the definition.
struct Error {
  double relative = 0;     ///< Euclidean norm of the difference over that of the result; infinite if one is NaN
  double log_sum_exp = 0;  ///< largest difference
};

/// Compares out and log_sum_exp [batch, head, token]. raster: the raster index of the video token at each position;
/// windows: one for each head. rows: every rows-th token is looked at.
template <class T>
Error compare(const ProblemSize& p, const std::vector<int64_t>& raster, const std::vector<Extent>& windows,
              double scale, Elements<T>& q, Elements<T>& k, Elements<T>& v, Elements<T>& out,
              const std::vector<float>& log_sum_exp, int64_t rows = 1) {
  const auto token_at = [&](int64_t position) {
    const int64_t at = position - p.before;
    return at < 0 || at >= p.video() ? position : p.before + raster[static_cast<size_t>(at)];
  };
  double difference = 0, norm = 0, worst = 0;
  std::vector<double> weight(static_cast<size_t>(p.tokens()));
  for (int64_t b = 0; b < p.batch; ++b) {
    const int64_t keys = p.key_lengths.empty() ? p.tokens() : p.key_lengths[static_cast<size_t>(b)];
    for (int64_t h = 0; h < p.heads; ++h)
      for (int64_t i = 0; i < p.tokens(); i += rows) {
        const int64_t kv = h / (p.heads / p.kv_heads);
        double top = -std::numeric_limits<double>::infinity(), total = 0;
        for (int64_t j = 0; j < keys; ++j) {
          double& w = weight[static_cast<size_t>(j)];
          w = -std::numeric_limits<double>::infinity();
          if (!sees(p, windows[static_cast<size_t>(h)], token_at(i), token_at(j))) continue;
          w = 0;
          for (int64_t d = 0; d < p.size; ++d)
            w += scale * double{cpu::to_float(q.row(b, i, h)[d])} * double{cpu::to_float(k.row(b, j, kv)[d])};
          top = std::max(top, w);
        }
        std::vector<double> expected(static_cast<size_t>(p.size));
        for (int64_t j = 0; j < keys; ++j) {
          const double score = weight[static_cast<size_t>(j)];
          const double w = std::isinf(score) ? 0 : std::exp(score - top);
          total += w;
          for (int64_t d = 0; w > 0 && d < p.size; ++d)
            expected[static_cast<size_t>(d)] += w * double{cpu::to_float(v.row(b, j, kv)[d])};
        }
        const bool nothing = total == 0;  // no key at all: zeros, and a log-sum-exp of -inf
        for (int64_t d = 0; d < p.size; ++d) {
          const double right = nothing ? 0 : expected[static_cast<size_t>(d)] / total;
          const double wrong = double{cpu::to_float(out.row(b, i, h)[d])} - right;
          difference += wrong * wrong;
          norm += right * right;
        }
        const double got = double{log_sum_exp[static_cast<size_t>((b * p.heads + h) * p.tokens() + i)]};
        const double off = nothing ? (got == top ? 0 : std::numeric_limits<double>::infinity())
                                   : std::abs(got - (top + std::log(total)));
        worst = off <= worst ? worst : off;  // and NaN
      }
  }
  if (std::isnan(difference)) return {std::numeric_limits<double>::infinity(), worst};
  return {std::sqrt(difference / norm), worst};
}

}  // namespace fastvideo::sliding_tile
