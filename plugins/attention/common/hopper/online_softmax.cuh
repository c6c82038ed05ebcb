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

/// 2^x for x < 127, of the multiply-add units, which have time to spare where the special function unit has none.
/// Within 7.5e-5 relative: a twentieth of what rounding a probability to bfloat16 loses. 2^x = 2^n 2^f with n the
/// nearest integer and a minimax polynomial for 2^f. -inf gives 2^-126; NaN stays NaN.
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

/// How far, in powers of two, scores may exceed the reference in use before it is raised. Probabilities up to 2^8 are
/// no less exact in 16 bits than those up to 1, sums have room, and the output is hardly ever rescaled
/// (FlashAttention-4).
constexpr float kSlack = 8;

/// The larger of several floats, of which at least one is positive or all of which may be mistaken for another negative
/// one: as integers, positive floats are ordered as they are, and three compare in one instruction.
__device__ inline int maximum_if_positive(int so_far, float a, float b) {
  return __vimax3_s32(so_far, __float_as_int(a), __float_as_int(b));
}

/// The state of two rows. Probabilities are 2^(scale_log2 * score - reference) with scale_log2 = scale * log2(e) > 0:
/// one multiply-add and one exponential each. The reference is the maximum of the first block, and is raised when a
/// later score would exceed it by more than kSlack. The first block has at least one key. kPolynomialEvery: of so many
/// exponentials after the first block the polynomial computes one; 0: none.
template <int kPolynomialEvery>
class OnlineSoftmax {
 public:
  __device__ explicit OnlineSoftmax(float scale_log2) : scale_log2_(scale_log2) {}

  /// Turns the first block's scores into probabilities up to the common factor 1 / sum.
  template <int kCount>
  __device__ void start(float (&scores)[kCount]) {
    float maximum[2] = {-INFINITY, -INFINITY};
    row_maximum(maximum, scores);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      reference_[r] = maximum[r] * scale_log2_;
      sum_[r] = 0;
    }
    subtract_reference(scores);
    exponentiate<0>(scores);
  }

  /// The same for a further block. Returns whether the reference of a row of this warp was raised; then row r of the
  /// output so far is to be multiplied by factor[r].
  template <int kCount>
  __device__ bool proceed(float (&scores)[kCount], float (&factor)[2]) {
    subtract_reference(scores);
    int top[4] = {};
#pragma unroll
    for (int i = 0; i < kCount; i += 2) top[i / 2 % 4] = maximum_if_positive(top[i / 2 % 4], scores[i], scores[i + 1]);
    const int highest = max(__vimax3_s32(top[0], top[1], top[2]), top[3]);
    const bool raised = __any_sync(~0u, highest > __float_as_int(kSlack));
    if (raised) raise_reference(scores, factor);
    exponentiate<kPolynomialEvery>(scores);
    return raised;
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
      log_sum_exp[r] = (reference_[r] + __log2f(sum)) * 0.693147180559945F;
    }
  }

 private:
  // Brings maximum up to the largest of each whole row.
  template <int kCount>
  __device__ static void row_maximum(float (&maximum)[2], const float (&scores)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) maximum[row_of_register(i)] = fmaxf(maximum[row_of_register(i)], scores[i]);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 1));
      maximum[r] = fmaxf(maximum[r], __shfl_xor_sync(~0u, maximum[r], 2));
    }
  }

  template <int kCount>
  __device__ void subtract_reference(float (&scores)[kCount]) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] = fmaf(scores[i], scale_log2_, -reference_[row_of_register(i)]);
  }

  // scores: reference already subtracted.
  template <int kCount>
  __device__ void raise_reference(float (&scores)[kCount], float (&factor)[2]) {
    float by[2] = {0, 0};
    row_maximum(by, scores);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      reference_[r] += by[r];
      factor[r] = exp2_fast(-by[r]);
      sum_[r] *= factor[r];
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] -= by[row_of_register(i)];
  }

  template <int kEvery, int kCount>
  __device__ void exponentiate(float (&scores)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if constexpr (kEvery > 0)
        scores[i] = i % kEvery == 0 ? exp2_polynomial(scores[i]) : exp2_fast(scores[i]);
      else
        scores[i] = exp2_fast(scores[i]);
    }
    // Each thread sums what it holds; the threads of a row add up once, at the end.
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum_[row_of_register(i)] += scores[i];
  }

  float scale_log2_;
  float reference_[2], sum_[2];
};

/// Multiplies the two rows of an output.
template <int kCount>
__device__ inline void scale_rows(float (&output)[kCount], const float (&factor)[2]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) output[i] *= factor[row_of_register(i)];
}

}  // namespace fastvideo::hopper
