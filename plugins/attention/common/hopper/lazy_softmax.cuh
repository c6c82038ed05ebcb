// Softmax with a reference that is raised only when it must: the output is hardly ever rescaled (as in
// FlashAttention-4).
#pragma once

#include <cuda_bf16.h>

#include <type_traits>

#include "plugins/attention/common/hopper/online_softmax.cuh"

namespace fastvideo::hopper {

/// How far, in powers of two, scores may exceed the reference before it is raised. Probabilities up to 2^8 are
/// relatively as exact in 16 bits as those up to 1, and sums have room.
constexpr float kSlack = 8;

/// The largest probability is not 1, so it is not exact in 16 bits. Where one key outweighs all others that would show,
/// up to 1.23 times the error of a softmax with the exact maximum; probabilities are therefore cut to the 16 bits of
/// Element before they are summed, so that the error of a large one is in numerator and denominator alike (1.16 times).
template <class Element>
class LazySoftmax {
 public:
  template <int kCount>
  __device__ bool next(float (&weights)[kCount], float (&scores)[kCount], bool first, int existing, float scale,
                       float (&factor)[2]) {
    if (existing < 2 * kCount) for_missing_keys<kCount>(existing, [&](int i) { scores[i] = -INFINITY; });
    bool raised = false;
    if (first) {
      float maximum[2] = {-INFINITY, -INFINITY};
      raise_to_maximum(maximum, scores);
      join_maximum(maximum);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        reference_[r] = maximum[r] * scale;
        sum_[r] = 0;
      }
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] = fmaf(scores[i], scale, -reference_[row_of_register(i)]);
    if (!first) {
      float above[2];
      positive_maximum(above, scores);
      raised = __any_sync(~0u, above[0] > kSlack || above[1] > kSlack);
      if (raised) {
        join_maximum(above);
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          reference_[r] += above[r];
          factor[r] = exp2_fast(-above[r]);
          sum_[r] *= factor[r];
        }
#pragma unroll
        for (int i = 0; i < kCount; ++i) scores[i] -= above[row_of_register(i)];
      }
    }
    constexpr int kKept = static_cast<int>(std::is_same_v<Element, __nv_bfloat16> ? 0xFFFF0000 : 0xFFFFE000);
#pragma unroll
    for (int i = 0; i < kCount; ++i) weights[i] = __int_as_float(__float_as_int(exp2_fast(scores[i])) & kKept);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += weights[i];
    return raised;
  }

  __device__ SoftmaxState state() const { return {{reference_[0], reference_[1]}, {sum_[0], sum_[1]}}; }

 private:
  float reference_[2], sum_[2];
};

}  // namespace fastvideo::hopper
