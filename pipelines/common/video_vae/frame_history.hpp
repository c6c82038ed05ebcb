// The past frames that a causal convolution needs, since frames come a few at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fastvideo {

/// The last frames a causal convolution has seen, zeros before the first.
class FrameHistory {
 public:
  /// frames: how many are kept, one less than the kernel's extent in time.
  explicit FrameHistory(int64_t frames) : frames_(frames) {}

  /// A buffer [frames + T, H, W, C] whose first frames are the kept frames; the caller writes the T new frames.
  at::Tensor extend(int64_t count, at::IntArrayRef frame_shape, const at::TensorOptions& options) const;

  /// The new frames of a buffer: a view.
  at::Tensor fresh(const at::Tensor& buffer) const { return buffer.narrow(0, frames_, buffer.size(0) - frames_); }

  /// Keeps the last frames of a filled buffer.
  void keep(const at::Tensor& buffer);

  void clear() { kept_.reset(); }

 private:
  int64_t frames_;
  at::Tensor kept_;
};

}  // namespace fastvideo
