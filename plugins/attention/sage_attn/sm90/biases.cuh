// The part of the scores that comes from the mean of 64 queries: mean(q) . (k - mean(k)), nearly in full precision, on
// tensor cores.
#pragma once

#include "plugins/attention/common/hopper/products.cuh"
#include "plugins/attention/sage_attn/sm90/rounding.cuh"

namespace fastvideo::sage {

/// d += a b: a of 16 x 16 and b of 16 x 8, in the registers of a warp (PTX ISA 9.0, section 9.7.14.5.8).
template <class Element>
__device__ inline void multiply_16x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// The means of 16 blocks of queries as a left operand: two numbers of 16 bits together hold a float to some 2^-17.
template <class Element, int kSize>
class QueryMeans {
 public:
  /// means: of the first of the 16, `count` of which exist; k_mean: the mean subtracted from the keys.
  __device__ QueryMeans(const float* means, int count, const float* k_mean) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < kSize / 16 * 4; ++i) {  // registers of the operand: rows g and g + 8, columns 2 c and 8 behind
      const int row = lane / 4 + i % 2 * 8, column = i / 4 * 16 + i / 2 % 2 * 8 + lane % 4 * 2;
      float2 mean{};
      if (row < count) mean = *reinterpret_cast<const float2*>(means + row * kSize + column);
      high_[i / 4][i % 4] = hopper::pack_pair<Element>(mean.x, mean.y);
      const float2 rounded = to_floats<Element>(high_[i / 4][i % 4]);
      low_[i / 4][i % 4] = hopper::pack_pair<Element>(mean.x - rounded.x, mean.y - rounded.y);
      const float2 of_keys = *reinterpret_cast<const float2*>(k_mean + column);
      of_k_mean_[i % 2] = fmaf(mean.x, of_keys.x, fmaf(mean.y, of_keys.y, of_k_mean_[i % 2]));
    }
#pragma unroll
    for (float& of_row : of_k_mean_) {
      of_row += __shfl_xor_sync(~0u, of_row, 1);
      of_row += __shfl_xor_sync(~0u, of_row, 2);
    }
  }

  /// The products of row g, and of g + 8, with keys 2 c and 2 c + 1 of each eight, less their mean. Several eights at a
  /// time, since a product waits for the product before it. keys: the first row.
  template <int kEights, int kRow>
  __device__ void multiply(float (&d)[kEights][4], const uint16_t (*keys)[kRow]) const {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < kEights * 4; ++i) d[i / 4][i % 4] = -of_k_mean_[i % 4 / 2];
#pragma unroll
    for (int step = 0; step < kSize / 16; ++step)
#pragma unroll
      for (int eight = 0; eight < kEights; ++eight) {
        const uint32_t* words = reinterpret_cast<const uint32_t*>(keys[8 * eight + lane / 4]) + step * 8 + lane % 4;
        const uint32_t b[2] = {words[0], words[4]};
        multiply_16x8<Element>(d[eight], high_[step], b);
        multiply_16x8<Element>(d[eight], low_[step], b);
      }
  }

 private:
  uint32_t high_[kSize / 16][4], low_[kSize / 16][4];
  float of_k_mean_[2] = {};
};

constexpr int kBiasThreads = 128;

/// p.biases: mean(q) . (k - mean(k)) for each block of queries and each key, times scale_log2; for keys that do not
/// exist any number. Grid: blocks of 128 keys, heads of q, batch.
template <class Element, int kSize>
__global__ void __launch_bounds__(kBiasThreads)
    biases_kernel(const __grid_constant__ Quantisation p, float scale_log2) {
  constexpr int kRowThreads = kSize / 8, kRow = kSize + 8;  // eight behind a row: no bank conflicts
  __shared__ uint16_t keys[kBlockTokens][kRow];
  const int head = blockIdx.y, batch = blockIdx.z, k_head = head / (p.q.heads / p.k.heads);
#pragma unroll 8
  for (int i = threadIdx.x; i < kBlockTokens * kRowThreads; i += kBiasThreads) {
    const int row = i / kRowThreads, column = i % kRowThreads, token = blockIdx.x * kBlockTokens + row;
    Eight eight{};
    if (token < p.k.tokens) eight = load_eight(p.k.data, row_start(p.k, batch, token, k_head) + 8 * column);
    *reinterpret_cast<Eight*>(keys[row] + 8 * column) = eight;
  }
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const float* k_mean = p.k_mean + (static_cast<int64_t>(batch) * p.k.heads + k_head) * kSize;
  const int64_t of_head = (static_cast<int64_t>(batch) * p.q.heads + head) * p.query_blocks;
  const int64_t width = static_cast<int64_t>(p.key_blocks) * kBlockTokens;
  for (int first = 16 * warp; first < p.query_blocks; first += kBiasThreads / 2) {
    const QueryMeans<Element, kSize> means(p.q_mean + (of_head + first) * kSize, p.query_blocks - first, k_mean);
    float* row = p.biases + (of_head + first + lane / 4) * width + blockIdx.x * kBlockTokens + 2 * (lane % 4);
#pragma unroll 1
    for (int key = 0; key < kBlockTokens; key += 32) {
      float d[4][4];
      means.multiply(d, keys + key);
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (const int of = i % 2 * 8; first + lane / 4 + of < p.query_blocks) {
          const float* two = d[i / 2] + i % 2 * 2;
          *reinterpret_cast<float2*>(row + of * width + key + i / 2 * 8) = {two[0] * scale_log2, two[1] * scale_log2};
        }
    }
  }
}

}  // namespace fastvideo::sage
