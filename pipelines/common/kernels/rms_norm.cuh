// The kernel of RmsNorm.
#pragma once

#include "pipelines/common/kernels/kernels.hpp"
#include "pipelines/common/kernels/rows.cuh"

namespace fastvideo::kernels {

// The weights of a vector, in the elements' type or in float32.
template <class T>
__device__ void read_weight(const RmsNorm& call, int channel, float (&to)[kWidth<T>]) {
  if (call.weight_element == Element::float32)
    read(static_cast<const float*>(call.weight) + channel, to);
  else
    unpack<T>(__ldg(reinterpret_cast<const uint4*>(static_cast<const T*>(call.weight) + channel)), to);
}

template <class T, int kThreads>
__global__ void __launch_bounds__(kBlockThreads<kThreads>) rms_norm(const RmsNorm call) {
  __shared__ float sums[kBlockThreads<kThreads> / 32];
  const int channels = static_cast<int>(call.channels);
  const Place<kThreads> place(call.rows, channels / kWidth<T>);
  const int64_t start = place.row * channels;

  uint4 bytes[kVectors];
  load_row(static_cast<const T*>(call.x) + start, place, bytes);
  float x[kVectors][kWidth<T>];
  float sum = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    unpack<T>(bytes[v], x[v]);
#pragma unroll
    for (int j = 0; j < kWidth<T>; ++j) sum += x[v][j] * x[v][j];
  }
  const float mean = sum_of_row<kThreads>(sum, sums) / static_cast<float>(channels);
  const float factor = rsqrtf(mean + call.eps);

  const int head_size = static_cast<int>(call.head_size);
  const int64_t angles =  // there are fewer than 2^31 rows, and a 32-bit division is faster
      call.cos != nullptr
          ? int64_t{static_cast<uint32_t>(place.row) % static_cast<uint32_t>(call.tokens)} * (head_size / 2)
          : 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (!place.holds(v)) continue;
    const int channel = place.index(v) * kWidth<T>;
    float weight[kWidth<T>];
    read_weight<T>(call, channel, weight);
#pragma unroll
    for (int j = 0; j < kWidth<T>; ++j) x[v][j] *= factor * weight[j];
    if (call.cos != nullptr) {
      float cos[kWidth<T> / 2], sin[kWidth<T> / 2];
      const int64_t angle = angles + channel % head_size / 2;
      read(call.cos + angle, cos);
      read(call.sin + angle, sin);
#pragma unroll
      for (int j = 0; j < kWidth<T>; j += 2) {
        const float a = x[v][j], b = x[v][j + 1];
        x[v][j] = a * cos[j / 2] - b * sin[j / 2];
        x[v][j + 1] = a * sin[j / 2] + b * cos[j / 2];
      }
    }
    if (call.silu) {
#pragma unroll
      for (int j = 0; j < kWidth<T>; ++j) x[v][j] = __fdividef(x[v][j], 1.0F + __expf(-x[v][j]));
    }
    reinterpret_cast<uint4*>(static_cast<T*>(call.out) + start)[place.index(v)] = pack<T>(x[v]);
  }
}

}  // namespace fastvideo::kernels
