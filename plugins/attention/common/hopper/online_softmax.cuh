// Softmax over blocks of keys as they come (Milakov and Gimelshein 2018), on the registers of a product: a thread holds
// parts of two rows, and four neighbouring threads hold a row together.
//
// A probability is 2^(scale * score - reference): one multiply-add and one exponential. The interface of such a class,
// of which quantised_softmax.cuh has another:
//   next<S>(result, scores, first, existing, scale, biases, factor)
//       turns the scores of a block into probabilities up to the common factor 1 / sum. first: the block is a tile's
//       first, the state before is dropped; existing: keys from this index on do not exist; scale: of the scores, in
//       powers of two, at least 0; biases: if scores are kBiased, the number added to the scores of each key, in powers
//       of two, in shared memory. Returns whether the reference of a row of this warp was raised; then row r of the
//       output so far is to be multiplied by factor[r].
//   state()
//       the references, in powers of two, and the thread's part of each row's sum.
#pragma once

#include <cstdint>

#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::hopper {

/// 2^x, of the special function unit.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Calls action(i) for the registers that hold columns from `existing` on; columns as in wgmma.cuh. Usually few columns
/// are missing: registers are searched in parts, so that a part without missing columns costs one comparison.
template <int kCount, class Action>
__device__ inline void for_missing_keys(int existing, Action action) {
  constexpr int kPart = 16;
  const int column = 2 * (threadIdx.x % 4);
#pragma unroll
  for (int part = 0; part < kCount; part += kPart) {
    if (existing >= 2 * (part + kPart)) continue;
#pragma unroll
    for (int i = part; i < part + kPart && i < kCount; ++i)
      if (column + i / 4 * 8 + i % 2 >= existing) action(i);
  }
}

/// Raises maximum to the largest score that the thread holds of each row.
template <int kCount>
__device__ inline void raise_to_maximum(float (&maximum)[2], const float (&scores)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) maximum[row_of_register(i)] = fmaxf(maximum[row_of_register(i)], scores[i]);
}

/// The largest of n integers and `least`. The device compares three integers at a time; a tree rather than a chain
/// keeps dependencies short.
template <int n>
__device__ inline int integer_maximum(const int (&x)[n], int least) {
  constexpr int kLeft = (n + 2) / 3;
  int left[kLeft];
#pragma unroll
  for (int i = 0; i < kLeft; ++i)
    left[i] = __vimax3_s32(x[3 * i], 3 * i + 1 < n ? x[3 * i + 1] : least, 3 * i + 2 < n ? x[3 * i + 2] : least);
  if constexpr (kLeft == 1)
    return max(left[0], least);
  else
    return integer_maximum(left, least);
}

/// The largest integer of each row that the thread holds, at least `least`.
template <int kCount, class Integer>
__device__ inline void integer_maximum(int (&maximum)[2], Integer integer, int least) {
  int row[2][kCount / 2];
#pragma unroll
  for (int i = 0; i < kCount; ++i) row[row_of_register(i)][i / 4 * 2 + i % 2] = integer(i);
#pragma unroll
  for (int r = 0; r < 2; ++r) maximum[r] = integer_maximum(row[r], least);
}

/// For each row the largest number that the thread holds, at least 0: positive floats are ordered like integers.
template <int kCount>
__device__ inline void positive_maximum(float (&maximum)[2], const float (&scores)[kCount]) {
  int top[2];
  integer_maximum<kCount>(
      top, [&](int i) { return __float_as_int(scores[i]); }, 0);
#pragma unroll
  for (int r = 0; r < 2; ++r) maximum[r] = __int_as_float(top[r]);
}

/// Raises maximum to the largest score that the four threads of a row hold.
__device__ inline void join_maximum(float (&maximum)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 1));
    maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 2));
  }
}

/// The softmax state of the two rows of a thread.
struct SoftmaxState {
  float reference[2];  ///< in powers of two
  float sum[2];        ///< of the thread's probabilities
};

/// The sum of a row's probabilities over its four threads.
__device__ inline float join_sum(float sum) {
  sum += __shfl_xor_sync(~0u, sum, 1);
  return sum + __shfl_xor_sync(~0u, sum, 2);
}

/// The reference is always the maximum so far: the largest probability is 1, which 16 bits hold exactly. In most blocks
/// the maximum does not change, which is detected cheaply.
class OnlineSoftmax {
 public:
  template <class S>
  using Result = float[S::kKeys / 2];

  template <class S>
  __device__ bool next(Result<S>& weights, float (&scores)[S::kKeys / 2], bool first, int existing, float scale,
                       const float* /*biases*/, float (&factor)[2]) {
    static_assert(!S::ScoreProduct::kBiased);
    constexpr int kCount = S::kKeys / 2;
    if (existing < S::kKeys) for_missing_keys<kCount>(existing, [&](int i) { scores[i] = -INFINITY; });
    if (first) {
      maximum_[0] = maximum_[1] = -INFINITY;
      sum_[0] = sum_[1] = 0;
      any_negative_ = true;
    }
    float now[2] = {maximum_[0], maximum_[1]};
    if (any_negative_)
      raise_to_maximum(now, scores);
    else
      positive_maximum(now, scores);
    const bool raised = __any_sync(~0u, now[0] > maximum_[0] || now[1] > maximum_[1]);
    if (raised) {
      join_maximum(now);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        now[r] = fmaxf(now[r], maximum_[r]);
        factor[r] = exp2_fast((maximum_[r] - now[r]) * scale);
        sum_[r] *= factor[r];
        maximum_[r] = now[r];
        reference_[r] = now[r] * scale;
      }
      any_negative_ = __any_sync(~0u, maximum_[0] < 0 || maximum_[1] < 0);
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) weights[i] = exp2_fast(fmaf(scores[i], scale, -reference_[row_of_register(i)]));
      // Each thread sums its own probabilities; the sums of a row's threads are added once, at the end.
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += weights[i];
    return raised;
  }

  __device__ SoftmaxState state() const { return {{reference_[0], reference_[1]}, {sum_[0], sum_[1]}}; }

 private:
  float maximum_[2], reference_[2], sum_[2];
  bool any_negative_;  // whether a row of the warp has a negative maximum
};

}  // namespace fastvideo::hopper
