// The kernel of AddNorm.
#pragma once

#include "pipelines/common/kernels/kernels.hpp"
#include "pipelines/common/kernels/rows.cuh"

namespace fastvideo::kernels {

template <class T, int kThreads>
__global__ void __launch_bounds__(kBlockThreads<kThreads>) add_norm(const AddNorm call) {
  __shared__ float sums[2][kBlockThreads<kThreads> / 32];
  const int channels = static_cast<int>(call.channels);
  const Place<kThreads> place(call.batch * call.tokens, channels / kWidth<T>);
  const int64_t start = place.row * channels;
  const int64_t batch_row = call.batch == 1 ? 0 : place.row / call.tokens;

  uint4 x_bytes[kVectors], y_bytes[kVectors];
  load_row(static_cast<const T*>(call.x) + start, place, x_bytes);
  if (call.y != nullptr) load_row(static_cast<const T*>(call.y) + start, place, y_bytes);

  float x[kVectors][kWidth<T>];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) unpack<T>(x_bytes[v], x[v]);
  if (call.y != nullptr) {
    const float* gates = call.gate + batch_row * call.gate_stride;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      if (!place.holds(v)) continue;
      float y[kWidth<T>], gate[kWidth<T>];
      unpack<T>(y_bytes[v], y);
      if (call.gate != nullptr) read(gates + place.index(v) * kWidth<T>, gate);
#pragma unroll
      for (int j = 0; j < kWidth<T>; ++j) x[v][j] += call.gate != nullptr ? gate[j] * y[j] : y[j];
      const uint4 bytes = pack<T>(x[v]);
      reinterpret_cast<uint4*>(static_cast<T*>(call.sum) + start)[place.index(v)] = bytes;
      unpack<T>(bytes, x[v]);  // the norm is that of the stored sum
    }
  }
  if (call.out == nullptr) return;

  float sum = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v)
#pragma unroll
    for (int j = 0; j < kWidth<T>; ++j) sum += x[v][j];  // zeros beyond the row's end
  const float mean = sum_of_row<kThreads>(sum, sums[0]) / static_cast<float>(channels);
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v)
#pragma unroll
    for (int j = 0; j < kWidth<T>; ++j)
      if (place.holds(v)) squares += (x[v][j] - mean) * (x[v][j] - mean);
  const float variance = sum_of_row<kThreads>(squares, sums[1]) / static_cast<float>(channels);
  const float factor = rsqrtf(variance + call.eps);

#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (!place.holds(v)) continue;
    const int channel = place.index(v) * kWidth<T>;
    float scale[kWidth<T>], shift[kWidth<T>];
    if (call.scale != nullptr) read(call.scale + batch_row * call.scale_stride + channel, scale);
    if (call.shift != nullptr) read(call.shift + batch_row * call.shift_stride + channel, shift);
#pragma unroll
    for (int j = 0; j < kWidth<T>; ++j)
      x[v][j] = (x[v][j] - mean) * factor * (call.scale != nullptr ? scale[j] : 1.0F) +
                (call.shift != nullptr ? shift[j] : 0.0F);
    reinterpret_cast<uint4*>(static_cast<T*>(call.out) + start)[place.index(v)] = pack<T>(x[v]);
  }
}

}  // namespace fastvideo::kernels
