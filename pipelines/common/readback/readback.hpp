// Copies a few numbers from a device to the CPU without waiting for all of the device's work.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>

namespace fastvideo {

/// Numbers that are being copied. One thread at a time.
class Readback {
 public:
  virtual ~Readback() = default;

  /// Whether the numbers are there. Never waits.
  virtual bool is_here() = 0;

  /// The numbers, in the order of the tensor. Waits for one event, behind the copy; not for what was enqueued later.
  virtual std::span<const float> values() = 0;
};

/// Begins to copy a dense float32 tensor. On the CPU the numbers are there at once.
std::unique_ptr<Readback> start_readback(const at::Tensor& x);

/// The type of start_readback, which tests replace to count the waits.
using StartReadback = std::function<std::unique_ptr<Readback>(const at::Tensor& x)>;

}  // namespace fastvideo
