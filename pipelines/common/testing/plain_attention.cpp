#include "pipelines/common/testing/plain_attention.hpp"

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <limits>
#include <optional>

namespace fastvideo::testing {
namespace {

// All masks of a call as one bias; undefined without masks.
std::optional<at::Tensor> bias_of(const AttentionCall& call) {
  const auto never = [](const at::Tensor& hidden) {
    return at::zeros(hidden.sizes(), hidden.options().dtype(at::kFloat))
        .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  };
  std::optional<at::Tensor> bias;
  const auto add = [&](const at::Tensor& more) { bias = bias ? *bias + more : more; };
  if (call.mask.defined())
    add(call.mask.scalar_type() == at::kBool ? never(call.mask.logical_not()) : call.mask.to(at::kFloat));
  const at::Tensor keys = at::arange(call.k.size(1), call.q.options().dtype(at::kInt));
  if (call.key_lengths.defined()) add(never(keys >= call.key_lengths.view({-1, 1, 1, 1})));
  if ((call.site.masks & FV_MASK_CAUSAL) != 0) add(never(keys > keys.unsqueeze(1)).view({1, 1, keys.size(0), -1}));
  return bias;
}

}  // namespace

at::Tensor PlainAttention::run(const AttentionCall& call) {
  require_declared(call);
  calls_[call.site.name].push_back(call.layer);
  const auto heads_first = [](const at::Tensor& t) { return t.to(at::kFloat).transpose(1, 2); };
  const std::optional<at::Tensor> bias = bias_of(call);
  const double scale = call.site.scale;
  if (call.log_sum_exp != nullptr) {
    const at::Tensor k = heads_first(call.k).repeat_interleave(call.site.heads / call.site.kv_heads, 1);
    const at::Tensor scores = at::matmul(heads_first(call.q), k.transpose(2, 3)) * scale;
    *call.log_sum_exp = (bias ? scores + *bias : scores).logsumexp(-1);
  }
  const at::Tensor out =
      at::scaled_dot_product_attention(heads_first(call.q), heads_first(call.k), heads_first(call.v), bias,
                                       /*dropout_p=*/0.0, /*is_causal=*/false, scale, /*enable_gqa=*/true);
  return out.transpose(1, 2).to(call.q.scalar_type());
}

}  // namespace fastvideo::testing
