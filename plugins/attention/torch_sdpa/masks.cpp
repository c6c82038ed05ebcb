#include "plugins/attention/torch_sdpa/masks.hpp"

#include <ATen/ATen.h>

#include <fastvideo/torch.hpp>
#include <limits>

namespace fastvideo::torch_sdpa {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// The keys that lengths and causality let be seen; undefined if all.
at::Tensor allowed_keys(const fv_attention_args& args, bool causal, at::Device device) {
  const int64_t queries = args.q->shape[1];
  const int64_t keys = args.k->shape[1];
  const at::TensorOptions options = at::TensorOptions().device(device);
  at::Tensor allowed;
  if (args.key_lengths != nullptr) {
    const at::Tensor lengths = borrow(*args.key_lengths).view({-1, 1, 1, 1});
    allowed = at::arange(keys, options.dtype(at::kInt)).view({1, 1, 1, keys}) < lengths;
  }
  if (causal) {
    const at::Tensor past = at::ones({1, 1, queries, keys}, options.dtype(at::kBool)).tril();
    allowed = allowed.defined() ? allowed.logical_and(past) : past;
  }
  return allowed;
}

// LibTorch takes a bias in the type of the queries, and on the CPU also in float32. Beside queries in float64 it takes
// one in float32 as well, and then reads half of it: findings/float32_mask_beside_float64_queries.sh.
at::Tensor in_accepted_type(const at::Tensor& bias, at::ScalarType dtype) {
  const bool accepted =
      bias.scalar_type() == dtype || (bias.is_cpu() && bias.scalar_type() == at::kFloat && dtype != at::kDouble);
  return accepted ? bias : bias.to(dtype);
}

}  // namespace

at::Tensor merge_masks(const fv_attention_args& args, bool causal, at::ScalarType dtype) {
  at::Tensor allowed = allowed_keys(args, causal, to_device(args.q->device));
  if (args.mask == nullptr) return allowed;
  const at::Tensor mask = borrow(*args.mask);
  if (mask.scalar_type() == at::kBool) return allowed.defined() ? mask.logical_and(allowed) : mask;
  const at::Tensor bias = in_accepted_type(mask, dtype);
  return allowed.defined() ? at::where(allowed, bias, at::scalar_tensor(kNever, bias.options())) : bias;
}

void clear_blind_rows(at::Tensor& out, const at::Tensor& mask) {
  const at::Tensor hidden = mask.scalar_type() == at::kBool ? mask.logical_not() : mask == kNever;
  out.masked_fill_(hidden.all(-1, /*keepdim=*/true), 0);
}

}  // namespace fastvideo::torch_sdpa
