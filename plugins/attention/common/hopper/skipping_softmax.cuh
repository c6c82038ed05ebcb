// Softmax that leaves out blocks of keys whose scores lie far below earlier scores (skip-softmax, BLASST): their
// exponentials and their product with the values would add next to nothing. Otherwise as OnlineSoftmax.
#pragma once

#include "plugins/attention/common/hopper/online_softmax.cuh"

namespace fastvideo::hopper {

class SkippingSoftmax {
 public:
  template <class S>
  using Result = float[S::kKeys / 2];

  /// Whether all scores of the warp in a block that is not a tile's first lie more than `distance` below the largest of
  /// their rows so far. Then the block may be left out; otherwise next() follows.
  template <class S>
  __device__ bool is_far_below(const float (&scores)[S::kKeys / 2], float distance) {
    look_at(scores);
    const float limit[2] = {maximum_[0] - distance, maximum_[1] - distance};
    bool far = true, sure = true;  // where no score is positive and a limit is negative, a second look decides
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const bool is_exact = any_negative_ || limit[r] >= 0;
      far = far && (is_exact ? now_[r] < limit[r] : now_[r] == 0);
      sure = sure && is_exact;
    }
    if (!__all_sync(~0u, far)) return false;
    if (__all_sync(~0u, sure)) return true;
    float exact[2] = {-INFINITY, -INFINITY};
    raise_to_maximum(exact, scores);
    return __all_sync(~0u, exact[0] < limit[0] && exact[1] < limit[1]);
  }

  template <class S>
  __device__ bool next(Result<S>& weights, float (&scores)[S::kKeys / 2], bool first, int existing, float scale,
                       const float* /*biases*/, float (&factor)[2]) {
    static_assert(!S::ScoreProduct::kBiased);
    constexpr int kCount = S::kKeys / 2;
    if (first) {
      if (existing < S::kKeys) for_missing_keys<kCount>(existing, [&](int i) { scores[i] = -INFINITY; });
      maximum_[0] = maximum_[1] = -INFINITY;
      sum_[0] = sum_[1] = 0;
      any_negative_ = true;
      look_at(scores);
    }
    const bool raised = __any_sync(~0u, now_[0] > maximum_[0] || now_[1] > maximum_[1]);
    if (raised) {
      join_maximum(now_);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float now = fmaxf(now_[r], maximum_[r]);
        factor[r] = exp2_fast((maximum_[r] - now) * scale);
        sum_[r] *= factor[r];
        maximum_[r] = now;
        reference_[r] = now * scale;
      }
      any_negative_ = __any_sync(~0u, maximum_[0] < 0 || maximum_[1] < 0);
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) weights[i] = exp2_fast(fmaf(scores[i], scale, -reference_[row_of_register(i)]));
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += weights[i];
    return raised;
  }

  __device__ SoftmaxState state() const { return {{reference_[0], reference_[1]}, {sum_[0], sum_[1]}}; }

 private:
  // The largest scores of a block, or 0 where none is positive and no row has a negative maximum.
  template <int kCount>
  __device__ void look_at(const float (&scores)[kCount]) {
    if (any_negative_) {
      now_[0] = now_[1] = -INFINITY;
      raise_to_maximum(now_, scores);
    } else {
      positive_maximum(now_, scores);
    }
  }

  float maximum_[2], reference_[2], sum_[2];
  float now_[2];       // the largest scores of the block that the thread holds
  bool any_negative_;  // whether a row of the warp has a negative maximum
};

}  // namespace fastvideo::hopper
