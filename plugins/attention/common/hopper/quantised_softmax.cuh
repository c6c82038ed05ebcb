// Softmax of scores that are sums of integers.
#pragma once

#include <cfloat>
#include <climits>

#include "plugins/attention/common/hopper/larger.cuh"
#include "plugins/attention/common/hopper/online_softmax.cuh"

namespace fastvideo::hopper {

/// How far, in powers of two, scores may exceed the reference before it is raised.
constexpr float kSlackLog2 = 4, kSlack = 16;

/// The reference is the maximum of a tile's first block, and is raised only when a score exceeds it by kSlackLog2.
/// kAhead: exponentials do not wait for the maximum of their block, which is found beside them; where it raises the
/// reference they are computed again. That needs registers for scores and probabilities at once.
template <bool kAhead>
class QuantisedSoftmax {
 public:
  template <class S>
  using Result = uint32_t[S::kKeys / 16 * S::ValueProduct::kRoundedOfEight];

  template <class S>
  __device__ bool next(Result<S>& result, Scores<S>& scores, bool first, int existing, float scale, const float* biases,
                       float (&factor)[2]) {
    if (existing < S::kKeys) for_missing_keys<S::kKeys / 2>(existing, [&](int i) { scores[i] = kMissing; });
    scale = larger(scale, FLT_MIN);  // all keys 0: missing keys must still weigh nothing; NaN stays
    if (first) {
      reference_[0] = reference_[1] = -INFINITY;  // below any score
      sum_[0] = sum_[1] = 0;
    }
    static_assert(kAhead || !S::ScoreProduct::kBiased);
    float sum[2] = {}, largest[2];
    if constexpr (kAhead)
      exponentiate<S>(result, scores, scale, biases, largest, sum);
    else
      find_largest<S>(largest, scores, scale, biases);
    const bool raised = __any_sync(~0u, exceeds<S>(largest));
    if (raised) {
      if constexpr (S::ScoreProduct::kBiased) find_largest<S>(largest, scores, scale, biases);
      raise(largest, factor);
      if constexpr (kAhead) {
        sum[0] = sum[1] = 0;
        exponentiate<S>(result, scores, scale, biases, largest, sum);
      }
    }
    if constexpr (!kAhead) exponentiate<S>(result, scores, scale, biases, largest, sum);
#pragma unroll
    for (int r = 0; r < 2; ++r) sum_[r] += sum[r];
    return raised;
  }

  __device__ SoftmaxState state() const { return {{reference_[0], reference_[1]}, {sum_[0], sum_[1]}}; }

 private:
  static constexpr int kGroup = 8;  // registers at a time
  // An integer n of up to 22 bits is the float n + kMagic less kMagic: the bits of that are n + kMagicBits. The
  // rounding of kMagic * scale shifts all scores of a row by at most half a step of a score.
  static constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23
  static constexpr int kMagicBits = 0x4B400000;
  // Less than any score, and with kMagicBits -inf as a float.
  static constexpr int kMissing = static_cast<int>(0xFF800000U - 0x4B400000U);

  // Of eight registers of scores, the biases of their columns: 2 c and 2 c + 1 of two eights.
  struct BiasesOfGroup {
    float2 of_eight[2];

    __device__ BiasesOfGroup(const float* biases, int group) {
      const float2* mine = reinterpret_cast<const float2*>(biases) + threadIdx.x % 4;
#pragma unroll
      for (int i = 0; i < 2; ++i) of_eight[i] = mine[(2 * group + i) * 4];
    }
    __device__ float operator[](int i) const { return i % 2 == 0 ? of_eight[i / 4].x : of_eight[i / 4].y; }
  };

  // The largest score of each row that the thread holds, in powers of two.
  template <class S>
  __device__ static void find_largest(float (&largest)[2], const Scores<S>& scores, float scale, const float* biases) {
    if constexpr (S::ScoreProduct::kBiased) {
      largest[0] = largest[1] = -INFINITY;
#pragma unroll
      for (int group = 0; group < S::kKeys / 2 / kGroup; ++group) {
        const BiasesOfGroup bias(biases, group);
#pragma unroll
        for (int i = 0; i < kGroup; ++i) {
          float& of_row = largest[row_of_register(i)];
          of_row = fmaxf(of_row, fmaf(__int_as_float(scores[group * kGroup + i] + kMagicBits), scale, bias[i]));
        }
      }
#pragma unroll
      for (int r = 0; r < 2; ++r) largest[r] -= kMagic * scale;
    } else {
      int top[2];
      integer_maximum<S::kKeys / 2>(
          top, [&](int i) { return scores[i]; }, INT_MIN);
#pragma unroll
      for (int r = 0; r < 2; ++r) largest[r] = static_cast<float>(top[r]) * scale;
    }
  }

  // Whether a score exceeds its reference by the slack; largest as from exponentiate.
  template <class S>
  __device__ bool exceeds(const float (&largest)[2]) const {
    if constexpr (S::ScoreProduct::kBiased) {
      constexpr float kMost = kSlack * S::ValueProduct::kReferenceWeight;
      return !(largest[0] <= kMost && largest[1] <= kMost);  // a NaN counts as exceeding
    } else {
      return largest[0] > reference_[0] + kSlackLog2 || largest[1] > reference_[1] + kSlackLog2;
    }
  }

  // Raises the references to the largest scores of the thread's quad.
  __device__ void raise(float (&largest)[2], float (&factor)[2]) {
    join_maximum(largest);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      largest[r] = fmaxf(largest[r], reference_[r]);
      factor[r] = exp2_fast(reference_[r] - largest[r]);
      sum_[r] *= factor[r];
      reference_[r] = largest[r];
    }
  }

  // Probabilities of scores, their sum unless the product with the values has it, and of each row the largest that the
  // thread holds: score, in powers of two, or where scores are biased weight, which is found in half as many steps.
  template <class S>
  __device__ void exponentiate(Result<S>& result, const Scores<S>& scores, float scale, const float* biases,
                               float (&largest)[2], float (&sum)[2]) const {
    constexpr bool kBiased = S::ScoreProduct::kBiased;
    const float shift = S::ValueProduct::kReferenceLog2 - kMagic * scale;
    const float offset[2] = {shift - reference_[0], shift - reference_[1]};
    constexpr int kGroups = S::kKeys / 2 / kGroup, kRounded = S::ValueProduct::kRoundedOfEight;
    int magic[2] = {kMagicBits, kMagicBits}, top[2] = {INT_MIN, INT_MIN};
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      int shifted[kGroup];
      float weights[kGroup];
#pragma unroll
      for (int i = 0; i < kGroup; ++i) shifted[i] = scores[group * kGroup + i] + magic[group % 2];
      if constexpr (kBiased) {
        const BiasesOfGroup bias(biases, group);
#pragma unroll
        for (int i = 0; i < kGroup; ++i)
          weights[i] = exp2_fast(fmaf(__int_as_float(shifted[i]), scale, bias[i]) + offset[row_of_register(i)]);
      } else {
#pragma unroll
        for (int i = 0; i < kGroup; ++i)
          weights[i] = exp2_fast(fmaf(__int_as_float(shifted[i]), scale, offset[row_of_register(i)]));
      }
#pragma unroll
      for (int i = 0; i < kGroup; i += 2) {
        int& of_row = top[row_of_register(i)];
        if constexpr (kBiased)  // weights are not negative, so that their bits are ordered as they are
          of_row = __vimax3_s32(of_row, __float_as_int(weights[i]), __float_as_int(weights[i + 1]));
        else
          of_row = __vimax3_s32(of_row, shifted[i], shifted[i + 1]);
      }
      if constexpr (S::ValueProduct::kSumColumns == 0) {
#pragma unroll
        for (int i = 0; i < kGroup; ++i) sum[row_of_register(i)] += weights[i];
      }
      uint32_t* rounded = result + group * kRounded;
      S::ValueProduct::round_eight(rounded, weights);
      // A group waits until the one before the last is complete (no probability is a negative number): so the special
      // function unit is fed all the while, and other work lies in its gaps. Left to itself the compiler computes all
      // arguments first and all exponentials last.
      int least = 0;
#pragma unroll
      for (int i = 0; i < kRounded; i += 2)
        least = __vimin3_s32(static_cast<int>(rounded[i]), static_cast<int>(rounded[i + 1]), least);
      magic[group % 2] = kMagicBits + least;
    }
#pragma unroll
    for (int r = 0; r < 2; ++r)
      largest[r] = kBiased ? __int_as_float(top[r]) : (__int_as_float(top[r]) - kMagic) * scale;
  }

  float reference_[2], sum_[2];
};

}  // namespace fastvideo::hopper
