#include "pipelines/common/testing/plain_attention.hpp"

#include <ATen/ATen.h>

namespace fastvideo::testing {

at::Tensor PlainAttention::run(const AttentionCall& call) {
  calls_[call.role].push_back(call.layer);
  const auto heads_first = [](const at::Tensor& t) { return t.to(at::kFloat).transpose(1, 2); };
  std::optional<at::Tensor> bias;
  if (call.bias.defined()) bias = call.bias.scalar_type() == at::kBool ? call.bias : call.bias.to(at::kFloat);
  const at::Tensor out =
      at::scaled_dot_product_attention(heads_first(call.q), heads_first(call.k), heads_first(call.v), bias,
                                       /*dropout_p=*/0.0, /*is_causal=*/false, call.scale, /*enable_gqa=*/true);
  return out.transpose(1, 2).to(call.q.scalar_type());
}

}  // namespace fastvideo::testing
