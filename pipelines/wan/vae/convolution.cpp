#include "pipelines/wan/vae/convolution.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <utility>

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

}  // namespace

Convolution::Convolution(const at::Tensor& weight, at::Tensor bias, std::array<int64_t, 2> padding)
    : packed_(onednn_can(weight)), bias_(std::move(bias)), padding_{0, padding[0], padding[1]} {
  const bool images = weight.size(2) == 1;
  weight_ = images ? weight.squeeze(2) : weight;
  if (!packed_) {
    weight_ = weight_.contiguous(images ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d);
    return;
  }
  const at::Tensor opaque = weight_.contiguous().to_mkldnn();
  weight_ = images ? at::mkldnn_reorder_conv2d_weight(opaque, padding, {1, 1}, {1, 1}, 1)
                   : at::mkldnn_reorder_conv3d_weight(opaque, padding_, {1, 1, 1}, {1, 1, 1}, 1);
}

at::Tensor Convolution::convolve(const at::Tensor& frames) const {
  const bool images = weight_.dim() == 4;
  const at::Tensor x = images ? as_images(frames) : as_clip(frames);
  const Ints padding = Ints(padding_).slice(images ? 1 : 0);
  if (packed_) return onednn_convolution(x, weight_, bias_, padding);
  const std::vector<int64_t> ones(padding.size(), 1), zeros(padding.size(), 0);
  return at::convolution(x, weight_, bias_, ones, padding, ones, false, zeros, 1);
}

at::Tensor Convolution::run(const at::Tensor& frames) const {
  const at::Tensor out = convolve(frames);
  return (weight_.dim() == 4 ? out.permute({0, 2, 3, 1}) : out.squeeze(0).permute({1, 2, 3, 0})).contiguous();
}

void Convolution::add_to(at::Tensor& sum, const at::Tensor& frames) const {
  if (!packed_) {
    sum.add_(run(frames));
    return;
  }
  const bool images = weight_.dim() == 4;
  at::Tensor target = images ? as_images(sum) : as_clip(sum);
  onednn_convolution_add(target, images ? as_images(frames) : as_clip(frames), weight_, bias_,
                         Ints(padding_).slice(images ? 1 : 0));
}

}  // namespace fastvideo::wan
