// Chooses the key blocks of query blocks: products of means on the tensor cores, a softmax over all key parts, the
// largest masses. routing.hpp has the definition.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "plugins/attention/common/hopper/host_device.hpp"
#include "plugins/attention/common/hopper/online_softmax.cuh"
#include "plugins/attention/sparse_attn/routing.hpp"

namespace fastvideo::sparse {

constexpr int kTilesOfRouter = 4;  ///< query blocks of a block of the kernel: a warp for each
constexpr int kRouterThreads = 32 * kTilesOfRouter;
constexpr int kRouterRows = kTilesOfRouter * kParts;  ///< query parts: the rows of a product
static_assert(kRouterRows == 16);

/// Floats between two rows of the table of query parts and key blocks: no two of eight rows share a bank.
FV_HOST_DEVICE constexpr int route_stride(int key_blocks) { return hopper::ceil_div(key_blocks, 32) * 32 + 4; }
/// Bytes of dynamic shared memory.
constexpr int route_bytes(int key_blocks) { return kRouterRows * route_stride(key_blocks) * 4; }

template <class Element>
struct RouteParameters {
  Routing routing;
  const Element *query_means, *key_means;  ///< [batch, head, part, size], parts of whole blocks
  int heads, kv_heads;
  const int32_t* key_lengths;  ///< nullptr, or [batch]
  float scale_log2;            ///< of the scores, in powers of two
  unsigned* counter;           ///< set to 0
  int* counts;                 ///< [batch, head, query block]
  uint16_t* lists;             ///< [batch, head, query block, key blocks of the site]
};

/// sum += a b for 16 x 16 and 16 x 8 elements.
template <class Element>
__device__ inline void multiply_small(float (&sum)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                      uint32_t b1) {
  if constexpr (std::is_same_v<Element, __nv_bfloat16>)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

/// Log-sum-exp, in powers of two, over the four numbers that two neighbouring threads hold.
__device__ inline float join_four(float x, float y) {
  float top = fmaxf(x, y);
  top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
  const float reference = top == -INFINITY ? 0.0F : top;  // all four may be missing
  float sum = hopper::exp2_fast(x - reference) + hopper::exp2_fast(y - reference);
  sum += __shfl_xor_sync(~0u, sum, 1);
  return reference + __log2f(sum);
}

__device__ inline float sum_of_warp(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
  return x;
}
__device__ inline float largest_of_warp(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, distance));
  return x;
}

/// The mass added to key blocks that are always visited.
constexpr float kAlways = 2;

/// Chooses from the values of a warp's query block; values[j] is the mass of key block j, plus kAlways if it is always
/// visited. All threads of a warp call it together.
class Choice {
 public:
  __device__ Choice(const float* values, int blocks, const Routing& routing) : values_(values), blocks_(blocks) {
    const uint32_t always = __float_as_uint(kAlways);
    int needed = 0;
    if (routing.mass == 0) needed = max(count_from(always), routing.wanted(blocks));
    const auto enough = [&](uint32_t least) {
      if (routing.mass == 0) return count_from(least) >= needed;
      return least <= always && mass_from(least) >= routing.mass;
    };
    uint32_t too_much = __float_as_uint(2 * kAlways);  // the floats are positive: ordered like integers
    while (too_much - least_ > 1) {
      const uint32_t middle = least_ + (too_much - least_) / 2;
      if (enough(middle))
        least_ = middle;
      else
        too_much = middle;
    }
    // Of the blocks whose mass equals the least, the first ones are chosen.
    equal_ = count_from(least_) - count_from(least_ + 1);
    taken_ = equal_;
    if (routing.mass == 0) {
      taken_ = needed - count_from(least_ + 1);
    } else if (const float each = __uint_as_float(least_); least_ < always && each > 0) {
      const float open = (routing.mass - mass_from(least_ + 1)) / each;
      taken_ = min(equal_, max(1, static_cast<int>(ceilf(open))));
    }
  }

  /// Writes the numbers of the chosen blocks, descending; returns how many.
  __device__ int write(uint16_t* list) const {
    const int lane = threadIdx.x % 32;
    const unsigned below = (1u << lane) - 1;
    int written = 0, equal_before = 0;
    for (int base = (blocks_ - 1) / 32 * 32; base >= 0; base -= 32) {
      const int j = base + 31 - lane;
      const uint32_t value = j < blocks_ ? __float_as_uint(values_[j]) : 0;
      const bool equal = j < blocks_ && value == least_;
      const unsigned all_equal = __ballot_sync(~0u, equal);
      const int from_first = equal_ - 1 - (equal_before + __popc(all_equal & below));
      const bool chosen = j < blocks_ && (value > least_ || (equal && from_first < taken_));
      const unsigned all = __ballot_sync(~0u, chosen);
      if (chosen) list[written + __popc(all & below)] = static_cast<uint16_t>(j);
      written += __popc(all);
      equal_before += __popc(all_equal);
    }
    return written;
  }

 private:
  __device__ int count_from(uint32_t least) const {
    int count = 0;
    for (int j = threadIdx.x % 32; j < blocks_; j += 32) count += __float_as_uint(values_[j]) >= least ? 1 : 0;
    return __reduce_add_sync(~0u, count);
  }
  __device__ float mass_from(uint32_t least) const {
    float sum = 0;
    for (int j = threadIdx.x % 32; j < blocks_; j += 32) {
      const float value = values_[j];
      if (__float_as_uint(value) >= least) sum += value >= kAlways ? value - kAlways : value;
    }
    return sum_of_warp(sum);
  }
  const float* values_;
  int blocks_;
  uint32_t least_ = 0;  // the least chosen mass, as an integer
  int equal_, taken_;   // how many are equal to it, and how many of them are chosen
};

/// The scores of the block's query parts and all key parts, joined to key blocks, into logs [kRouterRows, stride].
template <class Element, int kHeadSize>
__device__ inline void score_parts(const RouteParameters<Element>& p, float* logs, int stride, int keys, int blocks) {
  constexpr int kChunks = kHeadSize / 32;  // of 16 bytes that a thread reads of a row: two steps of a product each
  const int lane = threadIdx.x % 32, row = lane / 4, column = lane % 4;
  const int head = blockIdx.y, b = blockIdx.z, query_parts = p.routing.query_blocks() * kParts;
  const int key_parts = p.routing.key_blocks(p.routing.keys) * kParts, part = p.routing.width / kParts;
  // Which elements of a row meet in which step does not matter, as long as they are the same of queries and keys.
  const auto load = [&](const Element* means, int parts, int head_of, int index, uint4(&into)[kChunks]) {
    const auto* from =
        reinterpret_cast<const uint4*>(means + (static_cast<int64_t>(head_of) * parts + index) * kHeadSize);
#pragma unroll
    for (int i = 0; i < kChunks; ++i) into[i] = index < parts ? __ldg(from + 4 * i + column) : uint4{0, 0, 0, 0};
  };
  uint4 upper[kChunks], lower[kChunks], now[kChunks], next[kChunks];
  const int first_part = blockIdx.x * kRouterRows;
  load(p.query_means, query_parts, b * p.heads + head, first_part + row, upper);
  load(p.query_means, query_parts, b * p.heads + head, first_part + row + 8, lower);
  const int key_head = b * p.kv_heads + head / (p.heads / p.kv_heads), tiles = hopper::ceil_div(blocks, 2);
  const auto load_keys = [&](int tile, uint4(&into)[kChunks]) {
    load(p.key_means, key_parts, key_head, tile < tiles ? 8 * tile + row : key_parts, into);
  };
  int tile = threadIdx.x / 32;
  load_keys(tile, next);
  for (; tile < tiles; tile += kTilesOfRouter) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) now[i] = next[i];
    load_keys(tile + kTilesOfRouter, next);
    float sum[4] = {};
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      multiply_small<Element>(sum, upper[i].x, lower[i].x, upper[i].y, lower[i].y, now[i].x, now[i].y);
      multiply_small<Element>(sum, upper[i].z, lower[i].z, upper[i].w, lower[i].w, now[i].z, now[i].w);
    }
    float weight[2];  // of the thread's two key parts: their tokens, as a power of two
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int tokens = min(part, keys - (8 * tile + 2 * column + i) * part);
      weight[i] = tokens > 0 ? __log2f(static_cast<float>(tokens)) : -INFINITY;
    }
    const float of_upper = join_four(fmaf(sum[0], p.scale_log2, weight[0]), fmaf(sum[1], p.scale_log2, weight[1]));
    const float of_lower = join_four(fmaf(sum[2], p.scale_log2, weight[0]), fmaf(sum[3], p.scale_log2, weight[1]));
    const int block = 2 * tile + column / 2;
    if (block < blocks)
      logs[(column % 2 == 0 ? row : row + 8) * stride + block] = column % 2 == 0 ? of_upper : of_lower;
  }
}

/// Grid: query blocks / kTilesOfRouter, heads, batch.
template <class Element, int kHeadSize>
__global__ void __launch_bounds__(kRouterThreads) route_kernel(const __grid_constant__ RouteParameters<Element> p) {
  extern __shared__ float logs[];
  const Routing& r = p.routing;
  const int head = blockIdx.y, b = blockIdx.z, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int keys = r.keys;
  if (p.key_lengths != nullptr) keys = max(0, min(keys, p.key_lengths[b]));
  const int blocks = r.key_blocks(keys), stride = route_stride(r.key_blocks(r.keys));
  if (blockIdx.x == 0 && head == 0 && b == 0 && threadIdx.x == 0) *p.counter = 0;
  score_parts<Element, kHeadSize>(p, logs, stride, keys, blocks);
  __syncthreads();

  const int query_block = blockIdx.x * kTilesOfRouter + warp;
  if (query_block >= r.query_blocks()) return;
  const int64_t row = (static_cast<int64_t>(b) * p.heads + head) * r.query_blocks() + query_block;
  uint16_t* list = p.lists + row * r.key_blocks(r.keys);
  if (blocks == 0 || r.visits_all(query_block)) {
    for (int j = lane; j < blocks; j += 32) list[j] = static_cast<uint16_t>(blocks - 1 - j);
    if (lane == 0) p.counts[row] = blocks;
    return;
  }
  float* own = logs + warp * kParts * stride;
  const int rows = min(kParts, hopper::ceil_div(r.queries - query_block * r.rows, r.rows / kParts));
  float all[kParts];  // log-sum-exp over all key blocks
#pragma unroll
  for (int a = 0; a < kParts; ++a) {
    if (a >= rows) continue;
    float top = -INFINITY, sum = 0;
    for (int j = lane; j < blocks; j += 32) top = fmaxf(top, own[a * stride + j]);
    top = largest_of_warp(top);
    for (int j = lane; j < blocks; j += 32) sum += hopper::exp2_fast(own[a * stride + j] - top);
    all[a] = top + __log2f(sum_of_warp(sum));
  }
  for (int j = lane; j < blocks; j += 32) {
    float mass = 0;
#pragma unroll
    for (int a = 0; a < kParts; ++a)
      if (a < rows) mass += hopper::exp2_fast(own[a * stride + j] - all[a]);
    mass /= static_cast<float>(rows);
    if (!(mass >= 0 && mass <= 1)) mass = mass > 1 ? 1 : 0;  // rounding; inputs that are NaN
    own[j] = mass + (r.always(query_block, j, keys) ? kAlways : 0);
  }
  __syncwarp();
  const int count = Choice(own, blocks, r).write(list);
  if (lane == 0) p.counts[row] = count;
}

}  // namespace fastvideo::sparse
