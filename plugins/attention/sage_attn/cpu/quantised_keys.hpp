// Keys and values of one head in 8 bits, in the groups that quantise.cuh has on Hopper.
#pragma once

#include <cstdint>
#include <fastvideo/tensor_view.hpp>

#include "plugins/attention/sage_attn/settings.hpp"

namespace fastvideo::sage {

constexpr int64_t kKeyBlock = 128, kQueryBlock = 64;
constexpr int64_t kKeyScales = 4;                      ///< of a key block: keys 2 c and 2 c + 1 of each eight share one
constexpr int64_t kQueryGroup = 16, kQueryScales = 8;  ///< queries g and g + 8 of sixteen share one

/// The number that a channel's largest value is scaled to, of e4m3's 448: for normal values, rounding then errs least.
constexpr float kLargestValue = 320;

/// A scale: the value of one step, NaN if one of its numbers is not finite.
struct Scale {
  float step = 0;

  /// The scale at which the largest of some numbers becomes the largest integer or e4m3 number.
  static Scale of(float largest, float last);

  /// Steps in a unit; 0 for a scale that is 0, NaN or too small to be inverted.
  float per_unit() const;
};

/// The larger of two sizes, NaN if either is.
float larger(float a, float b);

/// The nearest integer, ties to even, from -127 to 127.
int8_t to_int8(float steps);

/// Quantised keys and values of one head, in the caller's memory.
struct QuantisedKeys {
  float* mean;        ///< [size] of the keys; zeros unless Settings::smooth_k
  float* v_residual;  ///< [size] the mean of v less its rounded value; zeros unless Settings::fp8_values
  float* k_scales;    ///< [key block, kKeyScales]
  float* v_scales;    ///< [size]; ones unless Settings::fp8_values
  int8_t* keys;       ///< [key, size]
  uint8_t* values;    ///< [key, size], e4m3; only with Settings::fp8_values

  /// Bytes of a head, a multiple of 64.
  static uint64_t bytes(int64_t keys, int64_t size);
  /// Divides memory aligned to 4 bytes into the arrays.
  static QuantisedKeys in(void* memory, int64_t keys, int64_t size);
};

/// One head of a [batch, key, head, size] of float, cpu::BFloat16 or cpu::Float16, the last stride 1.
template <class T>
struct HeadView {
  const TensorView<const T, 4>& tensor;
  int64_t batch, head;
  const T* row(int64_t token) const { return &tensor(batch, token, head, 0); }
};

/// Quantises a head.
template <class T>
void quantise(const Settings& settings, const HeadView<T>& k, const HeadView<T>& v, const QuantisedKeys& into);

}  // namespace fastvideo::sage
