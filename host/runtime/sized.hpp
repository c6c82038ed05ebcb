// Structs of runtime.h that begin with their size: read and written no further than their owner knows them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "host/runtime/errors.hpp"

namespace fastvideo::host {

/// Throws InvalidCall unless some version of T has that size: all are multiples of its alignment, so that no field is
/// there by half.
template <class T>
void require_size(uint32_t size, const char* name) {
  if (size < sizeof size) throw InvalidCall(std::string(name) + ": struct_size is not set");
  if (size % alignof(T) != 0)
    throw InvalidCall(std::string(name) + ": struct_size is " + std::to_string(size) +
                      ", and no version of the struct has that: set it to sizeof");
}

/// What the embedder filled; what its version of the struct lacks is zero. A NULL pointer gives all zeros. Throws
/// InvalidCall if it has no size.
template <class T>
T read_sized(const T* from, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  T whole{};
  if (from == nullptr) return whole;
  require_size<T>(from->struct_size, name);
  std::memcpy(&whole, from, std::min<size_t>(from->struct_size, sizeof whole));
  return whole;
}

/// Gives the embedder as much of `value` as its version of the struct holds; its struct_size stays. Throws InvalidCall.
template <class T>
void write_sized(T value, T* to, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (to == nullptr) throw InvalidCall(std::string(name) + " is NULL");
  require_size<T>(to->struct_size, name);
  value.struct_size = to->struct_size;
  std::memcpy(to, &value, std::min<size_t>(value.struct_size, sizeof value));
}

}  // namespace fastvideo::host
