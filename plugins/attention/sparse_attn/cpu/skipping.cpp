#include "plugins/attention/sparse_attn/cpu/skipping.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "plugins/attention/common/cpu/half.hpp"

namespace fastvideo::sparse {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// The running state of one query.
struct QueryState {
  float largest = kNothing, sum = 0;
};

template <class T>
const T* row_of(const void* data, const cpu::Strides& strides, int64_t b, int64_t token, int64_t head) {
  return static_cast<const T*>(data) + b * strides.s[0] + token * strides.s[1] + head * strides.s[2];
}

template <class T>
void attend_rows(const cpu::Job& job, int64_t b, int64_t head, int64_t first, int64_t count, int64_t group,
                 int64_t width, float distance) {
  const int64_t size = job.shape.size, keys = job.keys_of(b), kv = head / (job.shape.heads / job.shape.kv_heads);
  std::vector<QueryState> states(static_cast<size_t>(count));
  std::vector<float> outputs(static_cast<size_t>(count * size)), scores(static_cast<size_t>(count * width));
  for (int64_t block = (keys + width - 1) / width - 1; block >= 0; --block) {
    const int64_t start = block * width, seen = std::min(width, keys - start);
    bool far = start + width < keys && count == group;  // never the first block that is visited
    for (int64_t i = 0; i < count; ++i) {
      const T* q = row_of<T>(job.q, job.q_strides, b, first + i, head);
      for (int64_t j = 0; j < seen; ++j) {
        const T* k = row_of<T>(job.k, job.k_strides, b, start + j, kv);
        float score = 0;
        for (int64_t d = 0; d < size; ++d) score += cpu::to_float(q[d]) * cpu::to_float(k[d]);
        score *= job.scale;
        scores[static_cast<size_t>(i * width + j)] = score;
        far = far && score < states[static_cast<size_t>(i)].largest - distance;
      }
    }
    if (far) continue;
    for (int64_t i = 0; i < count; ++i) {
      QueryState& state = states[static_cast<size_t>(i)];
      const float* row = &scores[static_cast<size_t>(i * width)];
      float* output = &outputs[static_cast<size_t>(i * size)];
      const float largest = std::max(state.largest, *std::max_element(row, row + seen));
      const float factor = state.largest == kNothing ? 0 : std::exp(state.largest - largest);
      state.largest = largest;
      state.sum *= factor;
      for (int64_t d = 0; d < size; ++d) output[d] *= factor;
      for (int64_t j = 0; j < seen; ++j) {
        const float weight = std::exp(row[j] - largest);
        const T* v = row_of<T>(job.v, job.v_strides, b, start + j, kv);
        state.sum += weight;
        for (int64_t d = 0; d < size; ++d) output[d] += weight * cpu::to_float(v[d]);
      }
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const QueryState& state = states[static_cast<size_t>(i)];
    T* out = static_cast<T*>(job.out) + b * job.out_strides.s[0] + (first + i) * job.out_strides.s[1] +
             head * job.out_strides.s[2];
    for (int64_t d = 0; d < size; ++d)
      out[d] = cpu::from_float<T>(state.sum == 0 ? 0.0F : outputs[static_cast<size_t>(i * size + d)] / state.sum);
    if (job.log_sum_exp == nullptr) continue;
    const auto& ls = job.log_sum_exp_strides.s;
    job.log_sum_exp[b * ls[0] + head * ls[1] + (first + i) * ls[2]] =
        state.sum == 0 ? kNothing : state.largest + std::log(state.sum);
  }
}

}  // namespace

void attend_skipping(const cpu::Job& job, fv_dtype dtype, int64_t b, int64_t head, int64_t first, int64_t count,
                     int64_t group, int64_t width, double threshold) {
  const auto attend = same_dtype(dtype, kFloat32)    ? attend_rows<float>
                      : same_dtype(dtype, kBFloat16) ? attend_rows<cpu::BFloat16>
                                                     : attend_rows<cpu::Float16>;
  attend(job, b, head, first, count, group, width, static_cast<float>(-std::log(threshold)));
}

}  // namespace fastvideo::sparse
