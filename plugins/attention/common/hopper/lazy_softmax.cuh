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

/// Interface as ExactSoftmax. The largest probability is not 1, so it is not exact in 16 bits. Where one key outweighs
/// all others that would show, up to 1.23 times the error of a softmax with the exact maximum; probabilities are
/// therefore cut to 16 bits before they are summed, so that the error of a large one is in numerator and denominator
/// alike (1.16 times).
class LazySoftmax {
 public:
  __device__ explicit LazySoftmax(float scale_log2) : scale_log2_(scale_log2) {}

  template <class Element, int kCount>
  __device__ void start(float (&scores)[kCount]) {
    float maximum[2] = {-INFINITY, -INFINITY};
    raise_to_maximum(maximum, scores);
    join_maximum(maximum);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      reference_[r] = maximum[r] * scale_log2_;
      sum_[r] = 0;
    }
    subtract_reference(scores);
    exponentiate<Element>(scores);
  }

  template <class Element, int kCount>
  __device__ bool proceed(float (&scores)[kCount], float (&factor)[2]) {
    subtract_reference(scores);
    float above[2];
    positive_maximum(above, scores);
    const bool raised = __any_sync(~0u, above[0] > kSlack || above[1] > kSlack);
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
    exponentiate<Element>(scores);
    return raised;
  }

  __device__ void finish(float (&factor)[2], float (&log_sum_exp)[2]) const {
    finish_softmax(reference_, sum_, factor, log_sum_exp);
  }

 private:
  template <int kCount>
  __device__ void subtract_reference(float (&scores)[kCount]) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] = fmaf(scores[i], scale_log2_, -reference_[row_of_register(i)]);
  }

  template <class Element, int kCount>
  __device__ void exponentiate(float (&scores)[kCount]) {
    constexpr int kKept = static_cast<int>(std::is_same_v<Element, __nv_bfloat16> ? 0xFFFF0000 : 0xFFFFE000);
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] = __int_as_float(__float_as_int(exp2_fast(scores[i])) & kKept);
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += scores[i];
  }

  float scale_log2_;
  float reference_[2], sum_[2];
};

}  // namespace fastvideo::hopper
