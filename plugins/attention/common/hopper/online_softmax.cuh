// Softmax over blocks of keys as they come (Milakov and Gimelshein 2018), on the registers of a product: a thread holds
// parts of two rows, and four neighbouring threads hold a row together.
//
// A probability is 2^(scale_log2 * score - reference): one multiply-add and one exponential. What the reference is, and
// when it changes, is what the two classes differ in. Both start from the maximum of the first block, and both find out
// cheaply that nothing changes, as in most blocks: integers compare three at a time, floats two, and positive floats
// are ordered like the integers of the same bits.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace fastvideo::hopper {

/// 2^x, of the special function unit.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Whether register i of a sum belongs to the second of the thread's two rows.
__device__ constexpr int row_of_register(int i) { return i / 2 % 2; }

/// Sets the scores of keys that do not exist to -inf. kCount registers; columns as in wgmma.cuh.
template <int kCount>
__device__ inline void mask_keys_from(float (&scores)[kCount], int existing) {
  const int column = 2 * (threadIdx.x % 4);
#pragma unroll
  for (int i = 0; i < kCount; ++i)
    if (column + i / 4 * 8 + i % 2 >= existing) scores[i] = -INFINITY;
}

/// Multiplies the two rows of an output.
template <int kCount>
__device__ inline void scale_rows(float (&output)[kCount], const float (&factor)[2]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) output[i] *= factor[row_of_register(i)];
}

/// Brings maximum up to the largest that the thread holds of each row.
template <int kCount>
__device__ inline void raise_to_maximum(float (&maximum)[2], const float (&scores)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) maximum[row_of_register(i)] = fmaxf(maximum[row_of_register(i)], scores[i]);
}

/// For each row 0 or, if it is larger, the largest that the thread holds.
template <int kCount>
__device__ inline void positive_maximum(float (&maximum)[2], const float (&scores)[kCount]) {
  static_assert(kCount % 8 == 0);
  int top[2][2] = {};  // two chains a row
#pragma unroll
  for (int i = 0; i < kCount; i += 2) {
    int& so_far = top[row_of_register(i)][i / 4 % 2];
    so_far = __vimax3_s32(so_far, __float_as_int(scores[i]), __float_as_int(scores[i + 1]));
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) maximum[r] = __int_as_float(max(top[r][0], top[r][1]));
}

/// Brings maximum up to the largest that the four threads of a row hold.
__device__ inline void join_maximum(float (&maximum)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 1));
    maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 2));
  }
}

/// After the last block: factor[r] = 1 / sum of row r, of which each of four threads holds a part, and log_sum_exp[r]
/// its natural log-sum-exp. reference: in powers of two.
__device__ inline void finish_softmax(const float (&reference)[2], const float (&sum)[2], float (&factor)[2],
                                      float (&log_sum_exp)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float whole = sum[r];
    whole += __shfl_xor_sync(~0u, whole, 1);
    whole += __shfl_xor_sync(~0u, whole, 2);
    factor[r] = __fdividef(1.0F, whole);
    log_sum_exp[r] = (reference[r] + __log2f(whole)) * 0.693147180559945F;
  }
}

/// The reference is always the maximum so far: the largest probability is 1, which 16 bits hold exactly.
class ExactSoftmax {
 public:
  /// scale_log2 = scale * log2(e) > 0.
  __device__ explicit ExactSoftmax(float scale_log2) : scale_log2_(scale_log2) {}

  /// Turns the first block's scores, of at least one key, into probabilities up to the common factor 1 / sum.
  template <class Element, int kCount>
  __device__ void start(float (&scores)[kCount]) {
    maximum_[0] = maximum_[1] = -INFINITY;
    sum_[0] = sum_[1] = 0;
    raise_to_maximum(maximum_, scores);
    join_maximum(maximum_);
    any_negative_ = __any_sync(~0u, maximum_[0] < 0 || maximum_[1] < 0);
    exponentiate(scores);
  }

  /// The same for a further block. Returns whether the reference of a row of this warp was raised; then row r of the
  /// output so far is to be multiplied by factor[r].
  template <class Element, int kCount>
  __device__ bool proceed(float (&scores)[kCount], float (&factor)[2]) {
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
        factor[r] = exp2_fast((maximum_[r] - now[r]) * scale_log2_);
        sum_[r] *= factor[r];
        maximum_[r] = now[r];
      }
      any_negative_ = __any_sync(~0u, maximum_[0] < 0 || maximum_[1] < 0);
    }
    exponentiate(scores);
    return raised;
  }

  /// See finish_softmax.
  __device__ void finish(float (&factor)[2], float (&log_sum_exp)[2]) const {
    finish_softmax({maximum_[0] * scale_log2_, maximum_[1] * scale_log2_}, sum_, factor, log_sum_exp);
  }

 private:
  template <int kCount>
  __device__ void exponentiate(float (&scores)[kCount]) {
    const float reference[2] = {maximum_[0] * scale_log2_, maximum_[1] * scale_log2_};
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      scores[i] = exp2_fast(fmaf(scores[i], scale_log2_, -reference[row_of_register(i)]));
      // Each thread sums what it holds; the threads of a row add up once, at the end.
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += scores[i];
  }

  float scale_log2_;
  float maximum_[2], sum_[2];
  bool any_negative_;  // whether a row of the warp has a negative maximum
};

}  // namespace fastvideo::hopper
