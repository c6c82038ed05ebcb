#include "plugins/attention/sparse_attn/cpu/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "plugins/attention/common/cpu/half.hpp"

namespace fastvideo::sparse {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

template <class T>
void mean_of_tokens(const void* data, int64_t stride, int64_t tokens, int64_t size, float* mean) {
  std::fill(mean, mean + size, 0.0F);
  const T* row = static_cast<const T*>(data);
  for (int64_t i = 0; i < tokens; ++i, row += stride)
    for (int64_t d = 0; d < size; ++d) mean[d] += cpu::to_float(row[d]);
  for (int64_t d = 0; d < size; ++d) mean[d] /= static_cast<float>(tokens);
}

// The means of all parts of `part` tokens of a head, of whose tokens `tokens` exist.
template <class T>
void means_of_head(const void* data, const cpu::Strides& strides, int64_t b, int64_t head, int64_t tokens, int64_t part,
                   int64_t size, float* means) {
  const T* first = static_cast<const T*>(data) + b * strides.s[0] + head * strides.s[2];
  for (int64_t i = 0; i * part < tokens; ++i)
    mean_of_tokens<T>(first + i * part * strides.s[1], strides.s[1], std::min(part, tokens - i * part), size,
                      means + i * size);
}

// Adds each key block's share of the weights of a part of queries to masses. logs: of the weights of the key parts.
void add_shares(const std::vector<float>& logs, std::vector<float>& masses) {
  const float top = *std::max_element(logs.begin(), logs.end());
  float all = 0;
  for (const float x : logs) all += std::exp(x - top);
  for (size_t i = 0; i < logs.size(); ++i) masses[i / kParts] += std::exp(logs[i] - top) / all;
}

// The sort key of a mass. Inputs that are NaN give masses that are NaN, which have no order.
float rank_of(float mass, bool always) { return (std::isnan(mass) ? 0.0F : mass) + (always ? 2.0F : 0.0F); }

}  // namespace

Means::Means(const Routing& routing, const CallShape& s)
    : routing_(routing),
      heads_(s.heads),
      kv_heads_(s.kv_heads),
      size_(s.size),
      query_parts_(int64_t{routing.query_blocks()} * kParts),
      key_parts_(int64_t{routing.key_blocks(routing.keys)} * kParts),
      values_(static_cast<size_t>((heads_ * query_parts_ + kv_heads_ * key_parts_) * size_)) {}

void Means::fill(const cpu::Job& job, fv_dtype dtype, int64_t b, int64_t begin, int64_t end) {
  const auto means = same_dtype(dtype, kFloat32)    ? means_of_head<float>
                     : same_dtype(dtype, kBFloat16) ? means_of_head<cpu::BFloat16>
                                                    : means_of_head<cpu::Float16>;
  for (int64_t task = begin; task < end; ++task)
    if (task < heads_)
      means(job.q, job.q_strides, b, task, job.shape.queries, routing_.rows / kParts, size_, &values_[offset(task, 0)]);
    else
      means(job.k, job.k_strides, b, task - heads_, job.keys_of(b), routing_.width / kParts, size_,
            &values_[key_offset(task - heads_, 0)]);
}

std::vector<KeyRun> route(const Routing& r, const Means& means, int64_t size, float scale, int64_t head,
                          int64_t kv_head, int query_block, int64_t keys) {
  const int existing = static_cast<int>(keys), blocks = r.key_blocks(existing), part = r.width / kParts;
  std::vector<int> order(static_cast<size_t>(blocks));
  std::iota(order.begin(), order.end(), 0);
  int visited = blocks;
  if (blocks > 0 && !r.visits_all(query_block)) {
    std::vector<float> masses(order.size()), logs(order.size() * kParts);
    int rows = 0;
    for (int a = query_block * kParts; a < (query_block + 1) * kParts; ++a) {
      if (a * (r.rows / kParts) >= r.queries) break;
      ++rows;
      const float* q = means.query(head, a);
      for (size_t i = 0; i < logs.size(); ++i) {
        const int64_t tokens = std::min<int64_t>(part, keys - static_cast<int64_t>(i) * part);
        if (tokens <= 0) {
          logs[i] = kMinusInfinity;
          continue;
        }
        const float* k = means.key(kv_head, static_cast<int64_t>(i));
        logs[i] = scale * std::inner_product(q, q + size, k, 0.0F) + std::log(static_cast<float>(tokens));
      }
      add_shares(logs, masses);
    }
    for (float& mass : masses) mass /= static_cast<float>(rows);
    const auto rank = [&](int j) {
      return rank_of(masses[static_cast<size_t>(j)], r.always(query_block, j, existing));
    };
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return rank(i) > rank(j); });
    const int always = static_cast<int>(
        std::count_if(order.begin(), order.end(), [&](int j) { return r.always(query_block, j, existing); }));
    visited = std::max(always, r.wanted(blocks));
    if (r.mass > 0) {
      float held = 0;
      for (visited = 0; visited < blocks && (visited < always || held < r.mass); ++visited)
        held += masses[static_cast<size_t>(order[static_cast<size_t>(visited)])];
    }
  }
  order.resize(static_cast<size_t>(visited));
  std::sort(order.begin(), order.end());
  std::vector<KeyRun> runs;
  for (const int block : order) {
    const int64_t first = int64_t{block} * r.width, count = std::min<int64_t>(r.width, keys - first);
    if (!runs.empty() && runs.back().start + runs.back().length == first)
      runs.back().length += count;
    else
      runs.push_back({first, count});
  }
  return runs;
}

}  // namespace fastvideo::sparse
