// The means of parts of queries and of keys: one pass over both, in float32, rounded to 16 bits.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "plugins/attention/common/hopper/call.hpp"
#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/host_device.hpp"

namespace fastvideo::sparse {

/// A tensor [batch, token, head, size] and its parts.
struct MeansOf {
  const void* data;
  hopper::TokenStrides strides;
  int tokens, heads;
  int part, parts;             ///< tokens of a part, and parts of a head; the last parts may have no tokens
  const int32_t* key_lengths;  ///< nullptr, or [batch]: tokens that exist for a batch row
};

constexpr int kMeansWarps = 8;  ///< of a block: a warp for each part

template <class Element>
__device__ inline float2 two_floats(uint32_t pair) {
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&pair));
  else
    return __half22float2(*reinterpret_cast<const __half2*>(&pair));
}
template <class Element>
__device__ inline uint32_t two_elements(float low, float high) {
  if constexpr (std::is_same_v<Element, __nv_bfloat16>) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
  } else {
    const __half2 pair = __floats2half2_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
  }
}

/// Grid: parts of queries and then of keys / kMeansWarps, the larger number of heads, batch. A row of a token is read
/// by kHeadSize / 8 lanes, 16 bytes each; the other lanes take the next tokens.
template <class Element, int kHeadSize>
__global__ void __launch_bounds__(32 * kMeansWarps)
    means_kernel(const __grid_constant__ MeansOf queries, Element* query_means, const __grid_constant__ MeansOf keys,
                 Element* key_means, int query_blocks) {
  constexpr int kLanes = kHeadSize / 8, kAtOnce = 32 / kLanes;
  const bool of_keys = static_cast<int>(blockIdx.x) >= query_blocks;
  const MeansOf& of = of_keys ? keys : queries;
  const int part = (static_cast<int>(blockIdx.x) - (of_keys ? query_blocks : 0)) * kMeansWarps + threadIdx.x / 32;
  const int head = blockIdx.y, b = blockIdx.z, lane = threadIdx.x % 32, column = lane % kLanes * 8;
  if (part >= of.parts || head >= of.heads) return;
  int tokens = of.tokens;
  if (of.key_lengths != nullptr) tokens = max(0, min(tokens, of.key_lengths[b]));
  const int first = part * of.part, count = max(0, min(of.part, tokens - first));
  const Element* row = static_cast<const Element*>(of.data) + b * of.strides.batch + head * of.strides.head + column;
  float sum[8] = {};
#pragma unroll 4
  for (int i = lane / kLanes; i < count; i += kAtOnce) {
    const uint4 eight = __ldg(reinterpret_cast<const uint4*>(row + (first + i) * of.strides.token));
    const uint32_t pairs[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      const float2 two = two_floats<Element>(pairs[p]);
      sum[2 * p] += two.x;
      sum[2 * p + 1] += two.y;
    }
  }
#pragma unroll
  for (int distance = kLanes; distance < 32; distance *= 2)
#pragma unroll
    for (float& x : sum) x += __shfl_xor_sync(~0u, x, distance);
  if (lane >= kLanes) return;
  const float factor = count > 0 ? 1.0F / static_cast<float>(count) : 0.0F;
  uint32_t pairs[4];
#pragma unroll
  for (int p = 0; p < 4; ++p) pairs[p] = two_elements<Element>(sum[2 * p] * factor, sum[2 * p + 1] * factor);
  Element* to = (of_keys ? key_means : query_means) +
                ((static_cast<int64_t>(b) * of.heads + head) * of.parts + part) * kHeadSize + column;
  *reinterpret_cast<uint4*>(to) = {pairs[0], pairs[1], pairs[2], pairs[3]};
}

template <class Element, int kHeadSize>
void launch_means(const MeansOf& queries, Element* query_means, const MeansOf& keys, Element* key_means, int batch,
                  cudaStream_t stream) {
  const int query_blocks = hopper::ceil_div(queries.parts, kMeansWarps);
  const dim3 grid(query_blocks + hopper::ceil_div(keys.parts, kMeansWarps), queries.heads, batch);
  means_kernel<Element, kHeadSize>
      <<<grid, 32 * kMeansWarps, 0, stream>>>(queries, query_means, keys, key_means, query_blocks);
  hopper::check_cuda(cudaGetLastError(), "launching the kernel that takes means");
}

}  // namespace fastvideo::sparse
