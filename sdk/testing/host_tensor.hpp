// Strided tensors of any floating-point type on the CPU, read and written as float64.
#pragma once

#include <fastvideo/tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fastvideo::testing {

/// How the four dimensions [B, L, H, D] lie in memory. All keep the rule of 16 bytes.
enum class Layout {
  dense,        ///< in the order [B, L, H, D], without gaps
  padded,       ///< gaps after every row, and a byte_offset
  heads_first,  ///< as [B, H, L, D]
};

/// Half the distance between 1 and the next larger number of a type: 2^-8 for bfloat16.
double unit_roundoff(fv_dtype dtype);

/// A tensor with its memory, which is filled with one byte (0xFF: not-a-number in every type).
class HostTensor {
 public:
  HostTensor(fv_dtype dtype, const std::array<int64_t, 4>& shape, Layout layout = Layout::dense);
  HostTensor(const HostTensor&) = delete;
  HostTensor& operator=(const HostTensor&) = delete;

  const fv_tensor* tensor() const { return &tensor_; }
  const std::array<int64_t, 4>& shape() const { return shape_; }

  /// Rounds to the type. Bool: non-zero is true.
  void set(const std::array<int64_t, 4>& at, double value);
  double get(const std::array<int64_t, 4>& at) const;

  /// Sets all memory, gaps included, to 0xFF.
  void poison();
  /// Whether the gaps still hold the bytes of poison().
  bool gaps_untouched() const;
  const std::vector<std::byte>& memory() const { return memory_; }
  std::vector<std::byte>& memory() { return memory_; }
  /// Where in the memory the tensor's data pointer is.
  size_t begin() const { return begin_; }
  /// All elements, in the order of the shape.
  std::vector<double> values() const;

 private:
  size_t offset(const std::array<int64_t, 4>& at) const;

  fv_dtype dtype_;
  std::array<int64_t, 4> shape_;
  std::array<int64_t, 4> strides_{};
  std::vector<std::byte> memory_;
  size_t begin_ = 0;  // of the tensor's data pointer in memory_
  fv_tensor tensor_{};
};

}  // namespace fastvideo::testing
