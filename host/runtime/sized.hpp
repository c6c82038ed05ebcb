// Structs of runtime.h that begin with their size: read and written no further than their owner knows them.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "host/runtime/errors.hpp"

namespace fastvideo::host {

/// What the embedder filled; what its version of the struct lacks is zero. A NULL pointer gives all zeros. Throws
/// InvalidCall if it has no size.
template <class T>
T read_sized(const T* from, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  T whole{};
  if (from == nullptr) return whole;
  if (from->struct_size < sizeof from->struct_size) throw InvalidCall(std::string(name) + ": struct_size is not set");
  std::memcpy(&whole, from, std::min<std::size_t>(from->struct_size, sizeof whole));
  return whole;
}

/// Gives the embedder as much of `value` as its version of the struct holds; its struct_size stays. Throws InvalidCall.
template <class T>
void write_sized(T value, T* to, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (to == nullptr) throw InvalidCall(std::string(name) + " is NULL");
  if (to->struct_size < sizeof to->struct_size) throw InvalidCall(std::string(name) + ": struct_size is not set");
  value.struct_size = to->struct_size;
  std::memcpy(to, &value, std::min<std::size_t>(value.struct_size, sizeof value));
}

}  // namespace fastvideo::host
