// Softmax of scores that are sums of integers.
#pragma once

#include <climits>

#include "plugins/attention/common/hopper/online_softmax.cuh"

namespace fastvideo::hopper {

/// The reference is always the maximum so far, found among the integers. kLargestLog2: the logarithm of the largest
/// probability, so that the values' format is used to its end; kSums: whether to sum them (otherwise the product with
/// the values does). kPolynomials: of every four exponentials so many are polynomials, which multiply-adds compute
/// while the special function unit is busy with the others.
template <bool kSums, int kPolynomials = 0>
class QuantisedSoftmax {
 public:
  template <int kCount>
  __device__ bool next(float (&weights)[kCount], int (&scores)[kCount], bool first, int existing, float scale,
                       float (&factor)[2]) {
    const bool partial = existing < 2 * kCount;
    if (partial) for_missing_keys<kCount>(existing, [&](int i) { scores[i] = INT_MIN; });
    if (first) {
      reference_[0] = reference_[1] = -INFINITY;
      sum_[0] = sum_[1] = 0;
    }
    int top[2];
    integer_maximum<kCount>(
        top, [&](int i) { return scores[i]; }, INT_MIN);
    float now[2] = {static_cast<float>(top[0]) * scale, static_cast<float>(top[1]) * scale};
    const bool raised = __any_sync(~0u, now[0] > reference_[0] || now[1] > reference_[1]);
    if (raised) {
      join_maximum(now);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        now[r] = fmaxf(now[r], reference_[r]);
        factor[r] = exp2_fast(reference_[r] - now[r]);
        sum_[r] *= factor[r];
        reference_[r] = now[r];
      }
    }
    const float offset[2] = {kOffset - reference_[0], kOffset - reference_[1]};
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float x = fmaf(static_cast<float>(scores[i]), scale, offset[row_of_register(i)]);
      weights[i] = i % 4 >= 4 - kPolynomials ? exp2_polynomial(x) : exp2_fast(x);
    }
    // With a scale of 0 a missing key would weigh as much as any.
    if (partial) for_missing_keys<kCount>(existing, [&](int i) { weights[i] = 0; });
    if constexpr (kSums) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += weights[i];
    }
    return raised;
  }

  __device__ SoftmaxState state() const { return {{reference_[0], reference_[1]}, {sum_[0], sum_[1]}}; }

 private:
  static constexpr float kOffset = kSums ? 0.0F : 8.807354922F;  // log2(448), the largest number in e4m3

  // 2^x to 0.17 %, a fortieth of a step of e4m3: the minimax parabola on [-0.5, 0.5], and an integer added to the
  // exponent.
  __device__ static float exp2_polynomial(float x) {
    constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: the low bits of x + kRound are x as an integer
    x = fmaxf(x, -126.0F);
    const float rounded = x + kRound, rest = x - (rounded - kRound);
    const float power = fmaf(fmaf(0.23842894F, rest, 0.70344802F), rest, 1.00044314F);
    return __int_as_float(__float_as_int(power) + (__float_as_int(rounded) << 23));
  }

  float reference_[2], sum_[2];
};

}  // namespace fastvideo::hopper
