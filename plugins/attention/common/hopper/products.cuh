// The two matrix products of attention in 16 bits, as a warpgroup computes them for its 64 queries: scores = Q K^T and
// O += P V. Both return at once; the caller commits and waits. quantised_products.cuh has the same interface for 8
// bits.
#pragma once

#include "plugins/attention/common/hopper/shape.cuh"

namespace fastvideo::hopper {

/// Registers of a thread: scores of 64 x kKeys, probabilities of as many, packed, output of 64 x kHeadSize and, if the
/// product sums the probabilities, eight columns that all hold the sum.
template <class S>
using Scores = typename S::ScoreProduct::Score[S::kKeys / 2];
template <class S>
using Probabilities = uint32_t[S::kKeys * S::ValueProduct::kElementBytes / 8];
template <class S>
using Output = float[S::kColumns / 2];

/// Whether register i of a sum belongs to the second of the thread's two rows.
__device__ constexpr int row_of_register(int i) { return i / 2 % 2; }

/// Multiplies the two rows of an output.
template <int kCount>
__device__ inline void scale_rows(float (&output)[kCount], const float (&factor)[2]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) output[i] *= factor[row_of_register(i)];
}

/// scores = queries keys^T. Both lie along the head size, in panels.
template <class S, class T>
__device__ inline void multiply_queries_keys(Scores<S>& scores, const unsigned char* queries,
                                             const unsigned char* keys) {
  const uint64_t a = operand<S::kKeyPanelBytes>(queries), b = operand<S::kKeyPanelBytes>(keys);
  const auto at = [](uint64_t start, int rows, int step) {
    const int panel = step * kDepthBytes / S::kKeyPanelBytes, within = step * kDepthBytes % S::kKeyPanelBytes;
    return advance(start, panel * rows * S::kKeyPanelBytes + within);
  };
  wgmma_fence();
  Wgmma<S::kKeys>::template shared_shared<T, false>(scores, a, b);
#pragma unroll
  for (int step = 1; step < S::kRowBytes / kDepthBytes; ++step)
    Wgmma<S::kKeys>::template shared_shared<T, true>(scores, at(a, kWarpgroupRows, step), at(b, S::kStageKeys, step));
}

template <class Element>
__device__ inline uint32_t pack_pair(float low, float high) {
  uint32_t packed;
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// Queries and keys of 16 bits.
template <class T>
struct HalfScores {
  using Score = float;
  static constexpr int kElementBytes = 2;
  static constexpr bool kScaled = false;  ///< whether scores are to be multiplied by scales of queries and keys
  static constexpr bool kBiased = false;  ///< whether a number for each key and 64 queries is added to scaled scores

  template <class S>
  __device__ static void multiply(Scores<S>& scores, const unsigned char* queries, const unsigned char* keys) {
    multiply_queries_keys<S, T>(scores, queries, keys);
  }
};

/// Values, and probabilities, of 16 bits. The product is added to the output by the tensor cores, in float.
template <class T>
struct HalfValues {
  static constexpr int kElementBytes = 2;
  static constexpr bool kTransposed = false;
  static constexpr int kSumColumns = 0;
  static constexpr float kReferenceWeight = 1;  ///< the probability of a score at softmax's reference
  static constexpr float kReferenceLog2 = 0;    ///< kReferenceWeight in powers of two
  static constexpr bool kScaled = false;        ///< whether the output is to be multiplied by scales of the values

  /// Adds products to an output, of one tile after another.
  template <class S>
  class Sum {
   public:
    __device__ explicit Sum(float4*) {}

    /// output += probabilities values, for as many keys as there are probabilities. Values lie across: 16 keys are two
    /// groups of eight rows, the columns span panels.
    template <int kCount>
    __device__ void multiply(Output<S>& output, const uint32_t (&probabilities)[kCount], const unsigned char* values) {
      const uint64_t b = operand<kPanelBytes>(values, S::kStageKeys * kPanelBytes);
      wgmma_fence();
#pragma unroll
      for (int step = 0; step < kCount / 4; ++step)
        Wgmma<S::kHeadSize>::template register_shared<T>(output, probabilities + 4 * step,
                                                         advance(b, step * 16 * kPanelBytes));
    }
    /// Multiplies the rows of the sum so far.
    __device__ void scale(Output<S>& output, const float (&factor)[2]) { scale_rows(output, factor); }
    /// Between two blocks of a tile.
    __device__ void next(Output<S>&) {}
    /// After the last block of a tile: output is its sum, and then, for the next tile, 0.
    __device__ void finish(Output<S>&) {}
    __device__ void restart(Output<S>& output) {
#pragma unroll
      for (int i = 0; i < S::kColumns / 2; ++i) output[i] = 0;
    }
  };

  /// Probabilities become the left operand when the product before has read its left operand. The layout of sums is
  /// that of the left operand: no data moves between threads.
  template <class S>
  __device__ static void join(Probabilities<S>& probabilities, const float (&weights)[S::kKeys / 2]) {
#pragma unroll
    for (int i = 0; i < S::kKeys / 4; ++i) probabilities[i] = pack_pair<T>(weights[2 * i], weights[2 * i + 1]);
  }

  /// The same in two parts, for a softmax that needs the registers. The second part must compute something: registers
  /// that a product reads next are not written while another product is at work (ptxas C7513).
  static constexpr int kRoundedOfEight = 4;
  __device__ static void round_eight(uint32_t* rounded, const float* weights) {
#pragma unroll
    for (int i = 0; i < 4; ++i) rounded[i] = pack_pair<T>(weights[i], weights[i + 4]);
  }
  template <class S>
  __device__ static void join(Probabilities<S>& probabilities, const uint32_t (&rounded)[S::kKeys / 4]) {
#pragma unroll
    for (int i = 0; i < S::kKeys / 4; i += 4)
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        asm volatile("prmt.b32 %0, %1, %2, 0x5410;"
                     : "=r"(probabilities[i + row])
                     : "r"(rounded[i + 2 * row]), "r"(rounded[i + 2 * row + 1]));
        asm volatile("prmt.b32 %0, %1, %2, 0x7632;"
                     : "=r"(probabilities[i + 2 + row])
                     : "r"(rounded[i + 2 * row]), "r"(rounded[i + 2 * row + 1]));
      }
  }
};

}  // namespace fastvideo::hopper
