// Convolutions over frames in channels-last layout, [T, H, W, C] with C contiguous, which is how the whole decoder
// keeps its activations: a pixel's channels lie together for the norms, and oneDNN and cuDNN read them without
// reordering.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace fastvideo::wan {

/// One convolution, its weights packed once. CPU: oneDNN called directly, because at these sizes LibTorch's heuristic
/// prefers its slowest kernel. Elsewhere, and for what oneDNN cannot do on this machine: at::convolution.
/// Calls do not change it: any number of threads.
class Convolution {
 public:
  /// weight: [Cout, Cin, kt, kh, kw]; bias: [Cout], of the same dtype and device. Zero padding of height and width on
  /// both sides; none of time.
  Convolution(const at::Tensor& weight, at::Tensor bias, std::array<int64_t, 2> padding);

  /// frames: [T, H, W, Cin], contiguous. Returns [T - kt + 1, H', W', Cout], contiguous.
  at::Tensor run(const at::Tensor& frames) const;

  /// sum += run(frames), in place; sum is contiguous.
  void add_to(at::Tensor& sum, const at::Tensor& frames) const;

  int64_t out_channels() const { return bias_.size(0); }

 private:
  bool packed_;  ///< weights are in oneDNN's own layout
  /// One 5-d weight [Cout, Cin, kt, kh, kw], or a 4-d one [Cout, Cin, kh, kw] for each frame of the kernel: frames are
  /// then a batch of images.
  std::vector<at::Tensor> weights_;
  at::Tensor bias_;
  std::array<int64_t, 3> padding_;
};

}  // namespace fastvideo::wan
