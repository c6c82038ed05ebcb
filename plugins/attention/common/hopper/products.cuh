// The two matrix products of attention, as a warpgroup computes them for its 64 queries: scores = Q K^T and O += P V.
// Both return at once; the caller commits and waits.
#pragma once

#include "plugins/attention/common/hopper/shape.cuh"

namespace fastvideo::hopper {

/// Registers of a thread: scores of 64 x kKeys, output of 64 x kHeadSize, probabilities in 16 bits, two in a register.
template <class S>
using Scores = float[S::kKeys / 2];
template <class S>
using Output = float[S::kHeadSize / 2];
template <class S>
using Probabilities = uint32_t[S::kKeys / 4];

/// Columns of one instruction's depth, and their bytes in a swizzled row.
constexpr int kDepth = 16;
constexpr int kDepthBytes = kDepth * 2;

/// scores = queries keys^T. Both lie along the head size: panels of 64 columns, four steps in each.
template <class S>
__device__ inline void multiply_queries_keys(Scores<S>& scores,
                                             const typename S::Element (&queries)[S::kPanels][kWarpgroupRows][kPanel],
                                             const typename S::Element (&keys)[S::kPanels][S::kKeys][kPanel]) {
  const uint64_t a = operand(queries), b = operand(keys);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < S::kHeadSize / kDepth; ++step) {
    const int panel = step * kDepth / kPanel, within = step * kDepthBytes % kSwizzleBytes;
    Wgmma<S::kKeys>::template shared_shared<typename S::Element>(
        scores, advance(a, panel * kWarpgroupRows * kSwizzleBytes + within),
        advance(b, panel * S::kKeys * kSwizzleBytes + within), step > 0);
  }
}

/// output += probabilities values. Values lie across: 16 keys are two groups of eight rows, the columns span panels.
template <class S>
__device__ inline void multiply_probabilities_values(
    Output<S>& output, const Probabilities<S>& probabilities,
    const typename S::Element (&values)[S::kPanels][S::kKeys][kPanel]) {
  const uint64_t b = operand(values, S::kKeys * kSwizzleBytes);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < S::kKeys / kDepth; ++step)
    Wgmma<S::kHeadSize>::template register_shared<typename S::Element>(output, probabilities + 4 * step,
                                                                       advance(b, step * kDepth * kSwizzleBytes));
}

/// Rounds probabilities to 16 bits. The layout of sums is that of the left operand: no data moves between threads.
template <class S>
__device__ inline void round_probabilities(Probabilities<S>& rounded, const Scores<S>& scores) {
#pragma unroll
  for (int i = 0; i < S::kKeys / 4; ++i) {
    if constexpr (std::is_same_v<typename S::Element, __nv_bfloat16>)
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(rounded[i]) : "f"(scores[2 * i + 1]), "f"(scores[2 * i]));
    else
      asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(rounded[i]) : "f"(scores[2 * i + 1]), "f"(scores[2 * i]));
  }
}

}  // namespace fastvideo::hopper
