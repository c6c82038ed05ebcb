#include "pipelines/common/video_vae/convolution.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fastvideo {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Ints = at::IntArrayRef;
using Text = std::optional<std::string_view>;

// The operators that LibTorch's own compiler calls: packed weights, bias and sum in one kernel. The public
// at::mkldnn_convolution takes no packed weights: it reorders them in every call.
at::Tensor onednn_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Ints padding) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, Ints, Ints, Ints,
                               int64_t, std::string_view, Scalars, Text);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "").typed<Signature>();
  const std::vector<int64_t> ones(padding.size(), 1);
  return op.call(x, weight, bias, padding, ones, ones, 1, "none", Scalars(), "");
}

void onednn_convolution_add(at::Tensor& sum, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            Ints padding) {
  using Signature =
      at::Tensor&(at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, Ints, Ints, Ints,
                  int64_t, std::string_view, std::optional<at::Scalar>, Text, Scalars, Text);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise_", "binary").typed<Signature>();
  const std::vector<int64_t> ones(padding.size(), 1);
  op.call(sum, x, weight, bias, padding, ones, ones, 1, "add", at::Scalar(1.0), std::nullopt, Scalars(), std::nullopt);
}

// Views [T, H, W, C] as the input of a convolution: a batch of T images, or one clip of T frames. No data moves.
at::Tensor as_images(const at::Tensor& frames) { return frames.permute({0, 3, 1, 2}); }
at::Tensor as_clip(const at::Tensor& frames) { return frames.unsqueeze(0).permute({0, 4, 1, 2, 3}); }

// Whether LibTorch lets oneDNN compute in bfloat16 on this CPU.
bool has_bfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       Ints padding) {
  const std::vector<int64_t> ones(padding.size(), 1), zeros(padding.size(), 0);
  return at::convolution(x, weight, bias, ones, padding, ones, false, zeros, 1);
}

}  // namespace

// On an H200 (cuDNN 9.19) the sum is 1.3 to 1.7 times as fast in float32 and, at 96 channels, in bfloat16; from 192
// channels on, bfloat16 is faster as one 3-d convolution. On a CPU without oneDNN the 3-d convolution is LibTorch's
// slowest kernel.
bool faster_as_images(at::ScalarType dtype, at::Device device, int64_t channels) {
  return device.is_cpu() || dtype == at::kFloat || channels <= 128;
}

ConvolutionPath convolution_path(at::ScalarType dtype, at::Device device) {
  const bool is_float = dtype == at::kFloat, is_bfloat16 = dtype == at::kBFloat16;
  if (!device.is_cpu() || !at::globalContext().userEnabledMkldnn() || !at::hasMKLDNN() || !(is_float || is_bfloat16))
    return ConvolutionPath::libtorch;
  return is_float || has_bfloat16() ? ConvolutionPath::onednn : ConvolutionPath::onednn_in_float32;
}

Convolution::Convolution(const at::Tensor& weight, at::Tensor bias, std::array<int64_t, 2> padding)
    : path_(convolution_path(weight.scalar_type(), weight.device())),
      is_of_images_(weight.size(2) == 1 || (path_ == ConvolutionPath::libtorch &&
                                            faster_as_images(weight.scalar_type(), weight.device(), weight.size(1)))),
      bias_(std::move(bias)),
      padding_{0, padding[0], padding[1]} {
  if (weight.is_meta()) return;  // a tensor of the device meta: nothing to pack
  weights_ = is_of_images_ ? weight.unbind(2) : std::vector{weight};
  if (path_ == ConvolutionPath::onednn_in_float32) bias_ = bias_.to(at::kFloat);
  for (at::Tensor& w : weights_) {
    if (path_ == ConvolutionPath::libtorch)
      w = w.contiguous(is_of_images_ ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d);
    else
      w = at::empty(w.sizes(), bias_.options()).copy_(w);
  }
}

void Convolution::pack_for(const at::Tensor& x) {
  const std::array<int64_t, 2> size = {x.size(-2), x.size(-1)};
  if (packed_for_ == size) return;
  at::Tensor& weight = weights_.front();
  if (weight.is_mkldnn()) weight = weight.to_dense();
  weight = weight.to_mkldnn();
  const std::vector<int64_t> ones(is_of_images_ ? 2 : 3, 1);
  weight = is_of_images_ ? at::mkldnn_reorder_conv2d_weight(weight, padding(), ones, ones, 1, x.sizes())
                         : at::mkldnn_reorder_conv3d_weight(weight, padding(), ones, ones, 1, x.sizes());
  packed_for_ = size;
}

at::Tensor Convolution::run(const at::Tensor& frames) {
  if (path_ == ConvolutionPath::libtorch) return run_by_libtorch(frames);
  at::Tensor x = as_input(frames.to(bias_.scalar_type()));
  pack_for(x);
  const at::Tensor out = as_frames(onednn_convolution(x, weights_.front(), bias_, padding()));
  x.reset();
  return out.to(frames.scalar_type());
}

at::Tensor Convolution::run_by_libtorch(const at::Tensor& frames) const {
  if (!is_of_images_) return as_frames(convolution(as_clip(frames), weights_.front(), bias_, padding()));
  const auto count = frames.size(0) - static_cast<int64_t>(weights_.size()) + 1;
  at::Tensor sum;
  for (size_t i = 0; i < weights_.size(); ++i) {
    const at::Tensor images = as_images(frames.narrow(0, static_cast<int64_t>(i), count));
    if (i == 0)
      sum = convolution(images, weights_[i], bias_, padding());
    else
      sum.add_(convolution(images, weights_[i], {}, padding()));
  }
  return as_frames(sum);
}

void Convolution::add_to(at::Tensor& sum, const at::Tensor& frames) {
  if (path_ != ConvolutionPath::onednn) {
    sum.add_(run(frames));
    return;
  }
  const at::Tensor x = as_input(frames);
  pack_for(x);
  at::Tensor target = as_input(sum);
  onednn_convolution_add(target, x, weights_.front(), bias_, padding());
}

at::Tensor Convolution::as_input(const at::Tensor& frames) const {
  return is_of_images_ ? as_images(frames) : as_clip(frames);
}

at::Tensor Convolution::as_frames(const at::Tensor& out) const {
  return (is_of_images_ ? out.permute({0, 2, 3, 1}) : out.squeeze(0).permute({1, 2, 3, 0})).contiguous();
}

at::IntArrayRef Convolution::padding() const { return Ints(padding_).slice(is_of_images_ ? 1 : 0); }

}  // namespace fastvideo
