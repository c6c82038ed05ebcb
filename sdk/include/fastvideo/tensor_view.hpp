// fastvideo/tensor_view.hpp - typed access to the elements of a borrowed tensor on the CPU.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "fastvideo/tensor.h"

namespace fastvideo {

constexpr fv_dtype kFloat64{FV_FLOAT, 64, 1};
constexpr fv_dtype kFloat32{FV_FLOAT, 32, 1};
constexpr fv_dtype kFloat16{FV_FLOAT, 16, 1};
constexpr fv_dtype kBFloat16{FV_BFLOAT, 16, 1};
constexpr fv_dtype kInt32{FV_INT, 32, 1};
constexpr fv_dtype kUInt8{FV_UINT, 8, 1};
constexpr fv_dtype kBool{FV_BOOL, 8, 1};

constexpr bool same_dtype(fv_dtype a, fv_dtype b) { return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes; }

/// DLPack's name of an element type, "bfloat16", "float32x4"; its code, bits and lanes as numbers if DLPack has no name
/// for it.
inline std::string dtype_name(fv_dtype dtype) {
  const std::string bits = std::to_string(dtype.bits), lanes = std::to_string(dtype.lanes);
  std::string name = dtype.code == FV_BFLOAT  ? "bfloat"
                     : dtype.code == FV_FLOAT ? "float"
                     : dtype.code == FV_INT   ? "int"
                     : dtype.code == FV_UINT  ? "uint"
                     : dtype.code == FV_BOOL  ? "bool"
                                              : "";
  if (name.empty())
    return name.append("type code ")
        .append(std::to_string(dtype.code))
        .append(", ")
        .append(bits)
        .append(" bits, ")
        .append(lanes)
        .append(" lanes");
  if (dtype.code != FV_BOOL) name.append(bits);
  if (dtype.lanes != 1) name.append("x").append(lanes);
  return name;
}

/// The address of the first element.
inline void* data_of(const fv_tensor& tensor) { return static_cast<char*>(tensor.data) + tensor.byte_offset; }

/// The elements of a borrowed CPU tensor of N dimensions. T is the C++ type of an element, const for inputs.
template <class T, int N>
class TensorView {
 public:
  explicit TensorView(const fv_tensor& tensor) : data_(static_cast<T*>(data_of(tensor))) {
    if (tensor.ndim != N || tensor.dtype.bits != 8 * sizeof(T))
      throw std::invalid_argument("a tensor of " + std::to_string(tensor.ndim) + " dimensions of " +
                                  dtype_name(tensor.dtype) + " is not one of " + std::to_string(N) + " dimensions of " +
                                  std::to_string(8 * sizeof(T)) + " bits");
    for (int i = 0; i < N; ++i) {
      shape_[i] = tensor.shape[i];
      strides_[i] = tensor.strides[i];
    }
  }

  int64_t size(int dimension) const { return shape_[dimension]; }

  /// The element at the given indices, one for each dimension; unchecked.
  template <class... Index>
  T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == N);
    int64_t offset = 0;
    int i = 0;
    ((offset += static_cast<int64_t>(index) * strides_[i++]), ...);
    return data_[offset];
  }

  /// The element at the given indices of a tensor that is broadcast: a dimension of length 1 is read at 0.
  template <class... Index>
  T& broadcast(Index... index) const {
    static_assert(sizeof...(Index) == N);
    int64_t offset = 0;
    int i = 0;
    ((offset += shape_[i] == 1 ? 0 : static_cast<int64_t>(index) * strides_[i], ++i), ...);
    return data_[offset];
  }

 private:
  T* data_;
  int64_t shape_[N];
  int64_t strides_[N];  // no std::array, whose operator is a call in builds that do not optimise
};

}  // namespace fastvideo
