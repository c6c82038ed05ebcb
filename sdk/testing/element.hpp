// Elements of tensors as bits: float32, bfloat16 and float16.
#pragma once

#include <fastvideo/tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fastvideo::testing {

/// The nearest value of the type, ties to even, as the low `dtype.bits` bits. Values must be finite and, for float16,
/// below 65520 in size.
uint32_t to_bits(float value, fv_dtype dtype);
/// The value that the bits mean.
float from_bits(uint32_t bits, fv_dtype dtype);

/// Memory of a dense tensor, element by element.
class Elements {
 public:
  Elements(size_t count, fv_dtype dtype) : dtype_(dtype), bytes_(count * (dtype.bits / 8U)) {}

  float at(size_t i) const;
  void set(size_t i, float value);
  std::span<uint8_t> bytes() { return bytes_; }
  std::span<const uint8_t> bytes() const { return bytes_; }

 private:
  fv_dtype dtype_;
  std::vector<uint8_t> bytes_;
};

}  // namespace fastvideo::testing
