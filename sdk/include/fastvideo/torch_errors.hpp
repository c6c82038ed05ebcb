// fastvideo/torch_errors.hpp - LibTorch's errors in one line each, for plugins that use LibTorch.
#pragma once

#include <c10/util/Exception.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "fastvideo/core.hpp"

namespace fastvideo {

namespace detail {

inline std::string mebibytes(unsigned long long bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace detail

/// The message of a LibTorch error, without its backtrace and without the place in LibTorch's sources. For a failed
/// allocation: "out of memory: " and the size of that allocation.
inline std::string torch_error_text(const c10::Error& error) {
  std::string text = error.what_without_backtrace();
  constexpr std::string_view kCpu = "you tried to allocate ", kCuda = "CUDA out of memory. ", kFree = " is free";
  if (const size_t at = text.find(kCpu); at != std::string::npos)
    return "out of memory: " + detail::mebibytes(std::strtoull(text.c_str() + at + kCpu.size(), nullptr, 10)) +
           " were asked for at once on the CPU";
  if (const size_t at = text.find(kCuda); at != std::string::npos) {
    text.erase(0, at + kCuda.size());
    if (const size_t end = text.find(kFree); end != std::string::npos) text.resize(end + kFree.size());
    return "out of memory: " + text;
  }
  return text.substr(0, text.find("\nException raised from "));
}

/// Calls body and rethrows LibTorch's errors with torch_error_text, since their own what() has a line for each of forty
/// callers: as OutOfMemory for a failed allocation, else as std::runtime_error.
template <class Body>
decltype(auto) with_short_torch_errors(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const c10::Error& error) {
    const std::string text = torch_error_text(error);
    if (text.starts_with("out of memory") || dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr)
      throw OutOfMemory(text);
    throw std::runtime_error(text);
  }
}

}  // namespace fastvideo
