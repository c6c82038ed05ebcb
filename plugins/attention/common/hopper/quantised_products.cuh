// The products of quantised attention (SageAttention2, Zhang et al. 2024): scores from 8-bit integers, values in the
// 8-bit floats e4m3. Interface as products.cuh.
#pragma once

#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::hopper {

/// Queries and keys as integers; sums are exact. kBiased_: for queries less their mean; the mean's part of the scores
/// is added in float.
template <bool kBiased_>
struct IntegerScores {
  using Score = int32_t;
  static constexpr int kElementBytes = 1;
  static constexpr bool kScaled = true;
  static constexpr bool kBiased = kBiased_;

  template <class S>
  __device__ static void multiply(Scores<S>& scores, const unsigned char* queries, const unsigned char* keys) {
    multiply_queries_keys<S, Int8>(scores, queries, keys);
  }
};
using Int8Scores = IntegerScores<false>;
using BiasedInt8Scores = IntegerScores<true>;

/// Values as e4m3, transposed, with the tokens of each 16 in the order in which a thread holds probabilities: position
/// 4 c + i holds token 8 (i / 2) + 2 c + i % 2. Tensor cores add such products with some 14 bits (SageAttention2,
/// section 3.4): every few blocks the sum is added, in float, to a sum in shared memory and starts anew.
struct E4M3Values {
  static constexpr int kElementBytes = 1;
  static constexpr bool kTransposed = true;
  static constexpr int kSumColumns = 8;
  static constexpr uint32_t kOnes = 0x38383838;
  static constexpr float kReferenceWeight = 28;  ///< times kSlack that is 448, e4m3's largest
  static constexpr float kReferenceLog2 = 4.807354922F;
  static constexpr bool kScaled = true;
  /// Measured with 128 keys a block: the bias is 0.7 % after 8 blocks and 6 % after 32.
  static constexpr int kBlocksOfASum = 4;

  template <class S>
  class Sum {
   public:
    /// stored: the thread's share of shared memory, every kWarpgroup-th of kColumns / 8.
    __device__ explicit Sum(float4* stored) : stored_(stored) {}

    __device__ void multiply(Output<S>& output, const Probabilities<S>& probabilities, const unsigned char* values) {
      const uint64_t b = operand<S::kKeys>(values);
      wgmma_fence();
      Wgmma<S::kColumns>::register_shared_transposed(output, probabilities, b, blocks_ > 0);
#pragma unroll
      for (int step = 1; step < S::kKeys / 32; ++step)
        Wgmma<S::kColumns>::register_shared_transposed(output, probabilities + 4 * step, advance(b, step * kDepthBytes),
                                                       1);
    }

    __device__ void scale(Output<S>& output, const float (&factor)[2]) {
      scale_rows(output, factor);
#pragma unroll
      for (int r = 0; r < 2; ++r) owed_[r] *= factor[r];
    }

    __device__ void next(Output<S>& output) {
      if (++blocks_ < kBlocksOfASum) return;
      add_stored(output);
#pragma unroll
      for (int i = 0; i < S::kColumns / 8; ++i)
        stored_[i * kWarpgroup] = {output[4 * i], output[4 * i + 1], output[4 * i + 2], output[4 * i + 3]};
      any_stored_ = true;
      blocks_ = 0;
      owed_[0] = owed_[1] = 1;
    }

    __device__ void finish(Output<S>& output) { add_stored(output); }

    __device__ void restart(Output<S>&) {
      any_stored_ = false;
      blocks_ = 0;
      owed_[0] = owed_[1] = 1;
    }

   private:
    __device__ void add_stored(Output<S>& output) const {
      if (!any_stored_) return;
#pragma unroll
      for (int i = 0; i < S::kColumns / 8; ++i) {
        const float4 stored = stored_[i * kWarpgroup];
        output[4 * i] = fmaf(stored.x, owed_[0], output[4 * i]);
        output[4 * i + 1] = fmaf(stored.y, owed_[0], output[4 * i + 1]);
        output[4 * i + 2] = fmaf(stored.z, owed_[1], output[4 * i + 2]);
        output[4 * i + 3] = fmaf(stored.w, owed_[1], output[4 * i + 3]);
      }
    }

    float4* stored_;
    float owed_[2] = {1, 1};  // factors that the stored sum has not been multiplied by
    int blocks_ = 0;          // in the output
    bool any_stored_ = false;
  };

  /// Rounded by fours: columns 2 c, 2 c + 1 of a group of eight, of both rows.
  static constexpr int kRoundedOfEight = 2;
  __device__ static void round_eight(uint32_t* rounded, const float* weights) {
#pragma unroll
    for (int i = 0; i < 2; ++i)
      asm("{\n\t.reg .b16 low, high;\n\t"
          "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n\t"
          "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n\t"
          "mov.b32 %0, {low, high};\n\t}"
          : "=r"(rounded[i])
          : "f"(weights[4 * i]), "f"(weights[4 * i + 1]), "f"(weights[4 * i + 2]), "f"(weights[4 * i + 3]));
  }

  /// Puts the columns of two groups of eight together, row by row.
  template <class S>
  __device__ static void join(Probabilities<S>& probabilities, const uint32_t (&rounded)[S::kKeys / 8]) {
#pragma unroll
    for (int i = 0; i < S::kKeys / 8; i += 2) {
      asm volatile("prmt.b32 %0, %1, %2, 0x5410;" : "=r"(probabilities[i]) : "r"(rounded[i]), "r"(rounded[i + 1]));
      asm volatile("prmt.b32 %0, %1, %2, 0x7632;" : "=r"(probabilities[i + 1]) : "r"(rounded[i]), "r"(rounded[i + 1]));
    }
  }
};

}  // namespace fastvideo::hopper
