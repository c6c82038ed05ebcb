#include "plugins/attention/flash_attn/fa2/forward.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <optional>
#include <tuple>

namespace fastvideo::fa2 {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// Where the rows of a batch begin if they stand one behind the other: 0, length, ..., batch * length.
at::Tensor offsets(int64_t batch, int64_t length, at::Device device) {
  return at::arange(0, (batch + 1) * length, length, at::TensorOptions().dtype(at::kInt).device(device));
}

void attend_dense(const Call& call) {
  const auto result = at::_flash_attention_forward(
      call.q, call.k, call.v, /*cum_seq_q=*/std::nullopt, /*cum_seq_k=*/std::nullopt, call.q.size(1), call.k.size(1),
      /*dropout_p=*/0.0, /*is_causal=*/false, /*return_debug_mask=*/false, call.scale);
  call.out.copy_(std::get<0>(result));
  if (call.log_sum_exp.defined()) call.log_sum_exp.copy_(std::get<1>(result));
}

// The operator takes lengths only for sequences that stand one behind the other: [B * L, H, D].
void attend_ragged(const Call& call) {
  const at::Device device = call.q.device();
  const int64_t batch = call.q.size(0), queries = call.q.size(1), heads = call.q.size(2), keys = call.k.size(1);
  at::Tensor k = call.k, v = call.v;
  if (queries == 1 && heads != k.size(2)) {
    // A single query of grouped heads takes another path inside the operator, with a log-sum-exp of another layout.
    k = k.repeat_interleave(heads / k.size(2), 2);
    v = v.repeat_interleave(heads / v.size(2), 2);
  }
  const at::Tensor lengths = call.key_lengths.clamp(0, keys);
  const auto result = at::_flash_attention_forward(
      call.q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), offsets(batch, queries, device),
      offsets(batch, keys, device), queries, keys, /*dropout_p=*/0.0, /*is_causal=*/false, /*return_debug_mask=*/false,
      call.scale, /*window_size_left=*/std::nullopt, /*window_size_right=*/std::nullopt, lengths);
  call.out.copy_(std::get<0>(result).view(call.out.sizes()));
  if (!call.log_sum_exp.defined()) return;
  call.log_sum_exp.copy_(std::get<1>(result).view({heads, batch, queries}).transpose(0, 1));
  // The operator gives plus infinity for rows without keys.
  call.log_sum_exp.masked_fill_(lengths.eq(0).view({batch, 1, 1}), kNever);
}

}  // namespace

void attend(const Call& call) {
  if (call.out.numel() == 0) return;
  if (call.k.size(1) == 0) {
    call.out.zero_();
    if (call.log_sum_exp.defined()) call.log_sum_exp.fill_(kNever);
    return;
  }
  if (call.key_lengths.defined())
    attend_ragged(call);
  else
    attend_dense(call);
}

}  // namespace fastvideo::fa2
