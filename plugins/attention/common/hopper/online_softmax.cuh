// Softmax over blocks of keys as they come (Milakov and Gimelshein 2018), on the registers of a product: a thread holds
// parts of two rows, and four neighbouring threads hold a row together.
#pragma once

#include <cuda_runtime.h>

namespace fastvideo::hopper {

/// 2^x, of the special function unit.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 2^x for x <= 0, of the multiply-add units, which have time to spare where the special function unit has none. Within
/// 7.5e-5 relative: a twentieth of what rounding a probability to bfloat16 loses. 2^x = 2^n 2^f with n the nearest
/// integer and a minimax polynomial for 2^f. -inf gives 2^-126; NaN stays NaN.
__device__ inline float exp2_polynomial(float x) {
  constexpr float kShift = 0x1.8p23F;  // adding it rounds to an integer, in the low bits
  asm("max.NaN.f32 %0, %0, %1;" : "+f"(x) : "f"(-126.0F));
  const float shifted = x + kShift;
  const float f = x - (shifted - kShift);
  float y = fmaf(0.055171668F, f, 0.24261112F);
  y = fmaf(y, f, 0.69326099F);
  y = fmaf(y, f, 0.99992807F);
  return __int_as_float(__float_as_int(y) + (__float_as_int(shifted) << 23));
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

/// How far, in powers of two, scores may exceed the maximum in use before it is replaced: probabilities up to 2^8 are
/// no less exact in 16 bits, and the output is hardly ever rescaled (FlashAttention-4).
constexpr float kMaximumSlack = 8;

/// The state of two rows. Scores are unscaled; scale_log2 = scale * log2(e) > 0 joins them in the exponent, so that a
/// probability costs one multiply-add and one exponential. Every row's first block has at least one key.
/// kPolynomialEvery: of so many exponentials after the first block the polynomial computes one; 0: none. kLazy: a
/// maximum is replaced only when scores exceed it by more than kMaximumSlack.
template <int kPolynomialEvery, bool kLazy>
class OnlineSoftmax {
 public:
  __device__ explicit OnlineSoftmax(float scale_log2) : scale_log2_(scale_log2) {}

  /// Turns the first block's scores into probabilities up to the common factor 1 / sum.
  template <int kCount>
  __device__ void start(float (&scores)[kCount]) {
    maximum_[0] = maximum_[1] = -INFINITY;
    sum_[0] = sum_[1] = 0;
    take_maximum(scores);
    exponentiate<0>(scores);
  }

  /// The same for a further block. factor[r]: what row r of the output so far is to be multiplied by. Returns whether
  /// any row of the warp has a factor other than 1.
  template <int kCount>
  __device__ bool proceed(float (&scores)[kCount], float (&factor)[2]) {
    const float before[2] = {maximum_[0], maximum_[1]};
    take_maximum(scores);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float exponent = (before[r] - maximum_[r]) * scale_log2_;
      if (kLazy && exponent >= -kMaximumSlack) {
        maximum_[r] = before[r];
        factor[r] = 1;
      } else {
        factor[r] = exp2_fast(exponent);
        sum_[r] *= factor[r];
      }
    }
    exponentiate<kPolynomialEvery>(scores);
    return !kLazy || __any_sync(~0u, factor[0] != 1 || factor[1] != 1);
  }

  /// Keeps what comes next behind the exponentials. ptxas orders arithmetic by its results alone: it would wait for the
  /// products first, and compute afterwards what is meant to run under them. So a result decides an instruction that it
  /// may not move: one that never runs, since sums are not negative.
  __device__ void settle() const {
    if (sum_[0] + sum_[1] < 0) __nanosleep(0);
  }

  /// After the last block: factor[r] = 1 / sum of row r, log_sum_exp[r] its natural log-sum-exp.
  __device__ void finish(float (&factor)[2], float (&log_sum_exp)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float sum = sum_[r];
      sum += __shfl_xor_sync(~0u, sum, 1);
      sum += __shfl_xor_sync(~0u, sum, 2);
      factor[r] = __fdividef(1.0F, sum);
      log_sum_exp[r] = (maximum_[r] * scale_log2_ + __log2f(sum)) * 0.693147180559945F;
    }
  }

 private:
  template <int kCount>
  __device__ void take_maximum(const float (&scores)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) maximum_[row_of_register(i)] = fmaxf(maximum_[row_of_register(i)], scores[i]);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      maximum_[r] = fmaxf(maximum_[r], __shfl_xor_sync(~0u, maximum_[r], 1));
      maximum_[r] = fmaxf(maximum_[r], __shfl_xor_sync(~0u, maximum_[r], 2));
    }
  }

  template <int kEvery, int kCount>
  __device__ void exponentiate(float (&scores)[kCount]) {
    const float offset[2] = {maximum_[0] * scale_log2_, maximum_[1] * scale_log2_};
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float x = fmaf(scores[i], scale_log2_, -offset[row_of_register(i)]);
      if constexpr (kEvery > 0)
        scores[i] = i % kEvery == 0 ? exp2_polynomial(x) : exp2_fast(x);
      else
        scores[i] = exp2_fast(x);
    }
    // Each thread sums what it holds; the threads of a row add up once, at the end.
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += scores[i];
  }

  float scale_log2_;
  float maximum_[2], sum_[2];
};

/// Multiplies the two rows of an output.
template <int kCount>
__device__ inline void scale_rows(float (&output)[kCount], const float (&factor)[2]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) output[i] *= factor[row_of_register(i)];
}

}  // namespace fastvideo::hopper
