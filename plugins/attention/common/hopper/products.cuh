// The two matrix products of attention in 16 bits, as a warpgroup computes them for its 64 queries: scores = Q K^T and
// O += P V. Both return at once; the caller commits and waits. quantised_products.cuh has the same interface for 8
// bits.
#pragma once

#include "plugins/attention/common/hopper/shape.cuh"

namespace fastvideo::hopper {

/// Registers of a thread: scores of 64 x kKeys, probabilities of as many, packed, output of 64 x kHeadSize and, if the
/// product sums the probabilities, eight columns that are all that sum.
template <class S>
using Scores = typename S::ScoreProduct::Score[S::kKeys / 2];
template <class S>
using Weights = float[S::kKeys / 2];
template <class S>
using Probabilities = uint32_t[S::kKeys * S::ValueProduct::kElementBytes / 8];
template <class S>
using Output = float[S::kColumns / 2];

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
    Wgmma<S::kKeys>::template shared_shared<T, true>(scores, at(a, kWarpgroupRows, step), at(b, S::kKeys, step));
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
  static constexpr float kLargest = 1;    ///< the probability of the largest score
  static constexpr bool kScaled = false;  ///< whether the output is to be multiplied by scales of the values

  /// Adds products to an output.
  template <class S>
  class Sum {
   public:
    /// output += probabilities values. Values lie across: 16 keys are two groups of eight rows, the columns span
    /// panels.
    __device__ void multiply(Output<S>& output, const Probabilities<S>& probabilities, const unsigned char* values) {
      const uint64_t b = operand<kPanelBytes>(values, S::kKeys * kPanelBytes);
      wgmma_fence();
#pragma unroll
      for (int step = 0; step < S::kKeys / 16; ++step)
        Wgmma<S::kHeadSize>::template register_shared<T>(output, probabilities + 4 * step,
                                                         advance(b, step * 16 * kPanelBytes));
    }
    /// After the product is complete.
    __device__ void finish(Output<S>& output) { hold(output); }
  };

  /// Rounds probabilities. The layout of sums is that of the left operand: no data moves between threads.
  template <class S>
  __device__ static void round(Probabilities<S>& rounded, const Weights<S>& weights) {
#pragma unroll
    for (int i = 0; i < S::kKeys / 4; ++i) rounded[i] = pack_pair<T>(weights[2 * i], weights[2 * i + 1]);
  }
};

}  // namespace fastvideo::hopper
