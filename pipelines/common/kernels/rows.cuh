// How the row kernels divide a row among threads and read it: 16 bytes at a time, all of a row before its first use.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

namespace fastvideo::kernels {

/// Vectors of 16 bytes that a thread holds of its row, at most.
constexpr int kVectors = 4;
constexpr int kMaxThreads = 512;  ///< of a row

/// Rows of few threads share a block.
template <int kThreads>
constexpr int kBlockThreads = kThreads < 128 ? 128 : kThreads;

/// Elements of a vector.
template <class T>
constexpr int kWidth = 16 / sizeof(T);

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T>
__device__ T rounded(float x);
template <>
__device__ inline float rounded(float x) {
  return x;
}
template <>
__device__ inline __half rounded(float x) {
  return __float2half_rn(x);
}
template <>
__device__ inline __nv_bfloat16 rounded(float x) {
  return __float2bfloat16_rn(x);
}

template <class T>
__device__ void unpack(uint4 bytes, float (&to)[kWidth<T>]) {
  T values[kWidth<T>];
  std::memcpy(values, &bytes, sizeof(bytes));
#pragma unroll
  for (int j = 0; j < kWidth<T>; ++j) to[j] = to_float(values[j]);
}

template <class T>
__device__ uint4 pack(const float (&from)[kWidth<T>]) {
  T values[kWidth<T>];
#pragma unroll
  for (int j = 0; j < kWidth<T>; ++j) values[j] = rounded<T>(from[j]);
  uint4 bytes;
  std::memcpy(&bytes, values, sizeof(bytes));
  return bytes;
}

/// Loads parameters that every row reads through the read-only path, so that no store delays the loads.
template <int kCount>
__device__ void read(const float* from, float (&to)[kCount]) {
#pragma unroll
  for (int j = 0; j < kCount; j += 4) {
    if constexpr (kCount % 4 == 0) {
      const float4 four = __ldg(reinterpret_cast<const float4*>(from + j));
      to[j] = four.x, to[j + 1] = four.y, to[j + 2] = four.z, to[j + 3] = four.w;
    } else {
      const float2 two = __ldg(reinterpret_cast<const float2*>(from + j));
      to[j] = two.x, to[j + 1] = two.y;
    }
  }
}

/// The place of a thread: its row, and the vectors of it that it holds, kThreads apart.
template <int kThreads>
struct Place {
  int lane = static_cast<int>(threadIdx.x) % kThreads;
  int64_t row = static_cast<int64_t>(blockIdx.x) * (kBlockThreads<kThreads> / kThreads) + threadIdx.x / kThreads;
  int vectors;  ///< vectors of the row; 0 beyond the last row

  __device__ Place(int64_t rows, int row_vectors) : vectors(row < rows ? row_vectors : 0) {}
  __device__ int index(int v) const { return lane + v * kThreads; }
  __device__ bool holds(int v) const { return index(v) < vectors; }
};

/// This thread's vectors of a row that starts at `row`.
template <class T, int kThreads>
__device__ void load_row(const T* row, const Place<kThreads>& place, uint4 (&to)[kVectors]) {
#pragma unroll
  for (int v = 0; v < kVectors; ++v)
    to[v] = place.holds(v) ? __ldcs(reinterpret_cast<const uint4*>(row) + place.index(v)) : uint4{0, 0, 0, 0};
}

/// The sum over a row's threads, returned in each of them. shared: a float for each warp, used for one sum only.
template <int kThreads>
__device__ float sum_of_row(float value, float* shared) {
#pragma unroll
  for (int offset = (kThreads < 32 ? kThreads : 32) / 2; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  if constexpr (kThreads > 32) {
    shared[threadIdx.x / 32] = value;
    __syncthreads();
    const float* warps = shared + threadIdx.x / kThreads * (kThreads / 32);
    value = 0;
#pragma unroll
    for (int warp = 0; warp < kThreads / 32; ++warp) value += warps[warp];
  }
  return value;
}

}  // namespace fastvideo::kernels
