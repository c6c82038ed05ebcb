// Convolutions over frames in channels-last layout, [T, H, W, C] with C contiguous, the layout of all the decoder's
// activations: a pixel's channels lie together for the norms, and oneDNN and cuDNN read them without reordering.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace fastvideo {

/// How convolutions are computed on this machine.
enum class ConvolutionPath {
  onednn,             ///< oneDNN called directly: at these sizes LibTorch's heuristic prefers its slowest kernel
  onednn_in_float32,  ///< bfloat16 on a CPU without bfloat16 products: float32 weights, frames converted
  libtorch,           ///< at::convolution: on a GPU, and where LibTorch has no oneDNN
};
ConvolutionPath convolution_path(c10::ScalarType dtype, c10::Device device);

/// Whether LibTorch's kernel of several frames over so many channels is computed as a sum of convolutions of images.
bool faster_as_images(c10::ScalarType dtype, c10::Device device, int64_t channels);

/// One convolution. oneDNN's layout of the weights depends on the size of the frames, so they are packed for the first
/// frames, and again for frames of another height or width. One thread at a time.
class Convolution {
 public:
  /// weight: [Cout, Cin, kt, kh, kw]; bias: [Cout], of the same dtype and device. Zero padding of height and width on
  /// both sides; none of time.
  Convolution(const at::Tensor& weight, at::Tensor bias, std::array<int64_t, 2> padding);

  /// frames: [T, H, W, Cin], contiguous. Returns [T - kt + 1, H', W', Cout], contiguous.
  at::Tensor run(const at::Tensor& frames);

  /// sum += run(frames), in place; sum is contiguous.
  void add_to(at::Tensor& sum, const at::Tensor& frames);

  int64_t out_channels() const { return bias_.size(0); }

 private:
  at::Tensor run_by_libtorch(const at::Tensor& frames) const;
  void pack_for(const at::Tensor& x);
  at::Tensor as_input(const at::Tensor& frames) const;
  at::Tensor as_frames(const at::Tensor& out) const;
  at::IntArrayRef padding() const;

  ConvolutionPath path_;
  bool is_of_images_;  ///< frames are a batch of images, not a clip
  /// One 5-d weight [Cout, Cin, kt, kh, kw], or a 4-d one [Cout, Cin, kh, kw] for each frame of the kernel.
  std::vector<at::Tensor> weights_;
  std::array<int64_t, 2> packed_for_{};  ///< height and width; zeros: the weights are not packed yet
  at::Tensor bias_;
  std::array<int64_t, 3> padding_;
};

}  // namespace fastvideo
