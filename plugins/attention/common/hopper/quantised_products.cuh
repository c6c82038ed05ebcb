// The products of quantised attention (SageAttention2, Zhang et al. 2024): scores from 8-bit integers, values in the
// 8-bit floats e4m3. Interface as products.cuh.
#pragma once

#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::hopper {

/// Queries and keys as integers; sums are exact.
struct Int8Scores {
  using Score = int32_t;
  static constexpr int kElementBytes = 1;
  static constexpr bool kScaled = true;

  template <class S>
  __device__ static void multiply(Scores<S>& scores, const unsigned char* queries, const unsigned char* keys) {
    multiply_queries_keys<S, Int8>(scores, queries, keys);
  }
};

/// Values as e4m3, transposed, with the tokens of each 16 in the order in which a thread holds probabilities:
/// position 4 c + i holds token 8 (i / 2) + 2 c + i % 2. Tensor cores add such products with some 14 bits
/// (SageAttention2, section 3.4): each key block's sum starts anew and is added to the output in float.
struct E4M3Values {
  static constexpr int kElementBytes = 1;
  static constexpr bool kTransposed = true;
  static constexpr int kSumColumns = 8;
  static constexpr uint32_t kOnes = 0x38383838;
  static constexpr float kLargest = 448;  ///< of e4m3
  static constexpr bool kScaled = true;

  template <class S>
  class Sum {
   public:
    __device__ void multiply(Output<S>&, const Probabilities<S>& probabilities, const unsigned char* values) {
      const uint64_t b = operand<kPanelBytes>(values);
      wgmma_fence();
      Wgmma<S::kColumns>::template register_shared_transposed<false>(block_, probabilities, b);
#pragma unroll
      for (int step = 1; step < S::kKeys / 32; ++step)
        Wgmma<S::kColumns>::template register_shared_transposed<true>(block_, probabilities + 4 * step,
                                                                      advance(b, step * kDepthBytes));
    }
    __device__ void finish(Output<S>& output) {
      hold(block_);
#pragma unroll
      for (int i = 0; i < S::kColumns / 2; ++i) output[i] += block_[i];
    }

   private:
    float block_[S::kColumns / 2];
  };

  template <class S>
  __device__ static void round(Probabilities<S>& rounded, const Weights<S>& weights) {
#pragma unroll
    for (int i = 0; i < S::kKeys / 32; ++i)
#pragma unroll
      for (int row = 0; row < 2; ++row)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float* w = weights + 16 * i + 8 * half + 2 * row;  // columns 2 c, 2 c + 1 of two groups of eight
          rounded[4 * i + 2 * half + row] = pack(w[0], w[1], w[4], w[5]);
        }
  }

 private:
  __device__ static uint32_t pack(float a, float b, float c, float d) {
    uint32_t packed;
    asm("{\n\t.reg .b16 low, high;\n\t"
        "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n\t"
        "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n\t"
        "mov.b32 %0, {low, high};\n\t}"
        : "=r"(packed)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return packed;
  }
};

}  // namespace fastvideo::hopper
