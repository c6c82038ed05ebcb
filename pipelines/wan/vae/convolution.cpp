#include "pipelines/wan/vae/convolution.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fastvideo::wan {
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

// [T, H, W, C] as what convolutions take: a batch of T images, or one clip of T frames. No data moves.
at::Tensor as_images(const at::Tensor& frames) { return frames.permute({0, 3, 1, 2}); }
at::Tensor as_clip(const at::Tensor& frames) { return frames.unsqueeze(0).permute({0, 4, 1, 2, 3}); }

bool onednn_can(const at::Tensor& weight) {
  if (!weight.device().is_cpu() || !at::globalContext().userEnabledMkldnn() || !at::hasMKLDNN()) return false;
  if (weight.scalar_type() == at::kFloat) return true;
#if defined(__x86_64__)
  // What LibTorch asks of a CPU before it lets oneDNN compute in bfloat16.
  return weight.scalar_type() == at::kBFloat16 && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       Ints padding) {
  const std::vector<int64_t> ones(padding.size(), 1), zeros(padding.size(), 0);
  return at::convolution(x, weight, bias, ones, padding, ones, false, zeros, 1);
}

// A kernel of several frames as a sum of convolutions of images. On an H200 (cuDNN 9.19) the sum is 1.3 to 1.7 times as
// fast in float32 and, at 96 channels, in bfloat16; from 192 channels on bfloat16 is faster whole. On a CPU without
// oneDNN the 3-d convolution is LibTorch's slowest kernel.
bool faster_as_images(const at::Tensor& weight) {
  return weight.device().is_cpu() || weight.scalar_type() == at::kFloat || weight.size(1) <= 128;
}

}  // namespace

Convolution::Convolution(const at::Tensor& weight, at::Tensor bias, std::array<int64_t, 2> padding)
    : packed_(onednn_can(weight)), bias_(std::move(bias)), padding_{0, padding[0], padding[1]} {
  if (weight.size(2) == 1 || (!packed_ && faster_as_images(weight)))
    weights_ = weight.unbind(2);
  else
    weights_ = {weight};
  for (at::Tensor& w : weights_) {
    const bool images = w.dim() == 4;
    if (!packed_)
      w = w.contiguous(images ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d);
    else if (images)
      w = at::mkldnn_reorder_conv2d_weight(w.contiguous().to_mkldnn(), padding, {1, 1}, {1, 1}, 1);
    else
      w = at::mkldnn_reorder_conv3d_weight(w.contiguous().to_mkldnn(), padding_, {1, 1, 1}, {1, 1, 1}, 1);
  }
}

at::Tensor Convolution::run(const at::Tensor& frames) const {
  if (weights_.front().dim() == 5) {
    const at::Tensor out = packed_ ? onednn_convolution(as_clip(frames), weights_[0], bias_, padding_)
                                   : convolution(as_clip(frames), weights_[0], bias_, padding_);
    return out.squeeze(0).permute({1, 2, 3, 0}).contiguous();
  }
  const Ints padding = Ints(padding_).slice(1);
  if (packed_)
    return onednn_convolution(as_images(frames), weights_[0], bias_, padding).permute({0, 2, 3, 1}).contiguous();
  const auto count = frames.size(0) - static_cast<int64_t>(weights_.size()) + 1;
  at::Tensor sum;
  for (size_t i = 0; i < weights_.size(); ++i) {
    const at::Tensor images = as_images(frames.narrow(0, static_cast<int64_t>(i), count));
    if (i == 0)
      sum = convolution(images, weights_[i], bias_, padding);
    else
      sum.add_(convolution(images, weights_[i], {}, padding));
  }
  return sum.permute({0, 2, 3, 1}).contiguous();
}

void Convolution::add_to(at::Tensor& sum, const at::Tensor& frames) const {
  if (!packed_) {
    sum.add_(run(frames));
    return;
  }
  const bool images = weights_.front().dim() == 4;
  at::Tensor target = images ? as_images(sum) : as_clip(sum);
  onednn_convolution_add(target, images ? as_images(frames) : as_clip(frames), weights_[0], bias_,
                         Ints(padding_).slice(images ? 1 : 0));
}

}  // namespace fastvideo::wan
