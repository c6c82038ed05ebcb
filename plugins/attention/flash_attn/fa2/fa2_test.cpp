// FLASH_ATTN/fa2 without a GPU: its answers about sites, and its calls of the operator, with an operator for the CPU in
// the place of LibTorch's, which exists for CUDA alone. tests/attention_gpu runs the real one.
#include <gtest/gtest.h>
#include <torch/library.h>

#include <fastvideo/torch.hpp>
#include <limits>

#include "plugins/attention/common/tests/attention_library.hpp"
#include "plugins/attention/common/tests/site.hpp"
#include "plugins/attention/flash_attn/fa2/forward.hpp"

namespace fastvideo::fa2 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// softmax(scale q k^T) v for q [Lq, H, D] and k, v [Lk, Hkv, D], in float64: out [Lq, H, D], log-sum-exp [H, Lq].
std::pair<at::Tensor, at::Tensor> formula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t group = q.size(1) / k.size(1);
  const auto heads_first = [](const at::Tensor& t) { return t.to(at::kDouble).transpose(0, 1); };
  const at::Tensor keys = heads_first(k).repeat_interleave(group, 0),
                   values = heads_first(v).repeat_interleave(group, 0);
  const at::Tensor scores = heads_first(q).matmul(keys.transpose(1, 2)) * scale;
  return {scores.softmax(-1).matmul(values).transpose(0, 1), scores.logsumexp(-1)};
}

int calls = 0;

// The contract of LibTorch 2.11's operator for CUDA (aten/src/ATen/native/transformers/cuda/attention.cu and
// flash_attn/flash_api.cpp): dense or ragged, a log-sum-exp [H, total] where ragged, plus infinity for no keys.
// NOLINTBEGIN(performance-unnecessary-value-param): the operator's signature
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> operator_for_cpu(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::optional<at::Tensor>& cum_q,
    const std::optional<at::Tensor>& cum_k, c10::SymInt max_q, c10::SymInt max_k, double dropout, bool causal,
    bool debug, std::optional<double> scale, std::optional<c10::SymInt>, std::optional<c10::SymInt>,
    const std::optional<at::Tensor>& used, const std::optional<at::Tensor>&) {
  // NOLINTEND(performance-unnecessary-value-param)
  ++calls;
  TORCH_CHECK(dropout == 0 && !causal && !debug, "plain attention is asked for");
  for (const at::Tensor& t : {q, k, v}) TORCH_CHECK(t.stride(-1) == 1, "the last dimension must be contiguous");
  at::Tensor out = at::empty_like(q), lse;
  if (!cum_q) {
    lse = at::empty({q.size(0), q.size(2), q.size(1)}, at::kFloat);
    for (int64_t b = 0; b < q.size(0); ++b) {
      const auto [rows, sums] = formula(q[b], k[b], v[b], *scale);
      out[b].copy_(rows);
      lse[b].copy_(sums);
    }
    return {out, lse, {}, {}, {}};
  }
  for (const auto& given : {*cum_q, *cum_k, *used})
    TORCH_CHECK(given.scalar_type() == at::kInt && given.is_contiguous(), "lengths are int32 and contiguous");
  TORCH_CHECK(max_q.expect_int() > 1 || q.size(1) == k.size(1), "a single query of grouped heads is another way");
  lse = at::empty({q.size(1), q.size(0)}, at::kFloat);
  for (int64_t b = 0; b + 1 < cum_q->numel(); ++b) {
    const int64_t first = (*cum_q)[b].item<int64_t>(), last = (*cum_q)[b + 1].item<int64_t>();
    const int64_t key = (*cum_k)[b].item<int64_t>(), count = (*used)[b].item<int64_t>();
    TORCH_CHECK(last - first <= max_q.expect_int() && count <= max_k.expect_int(), "a row is longer than the longest");
    if (count == 0) {
      out.slice(0, first, last).zero_();
      lse.slice(1, first, last).fill_(kInfinity);
      continue;
    }
    const auto [rows, sums] =
        formula(q.slice(0, first, last), k.slice(0, key, key + count), v.slice(0, key, key + count), *scale);
    out.slice(0, first, last).copy_(rows);
    lse.slice(1, first, last).copy_(sums);
  }
  return {out, lse, {}, {}, {}};
}

TORCH_LIBRARY_IMPL(aten, CPU, m) { m.impl("_flash_attention_forward", operator_for_cpu); }

at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype) { return at::randn(shape, at::kDouble).to(dtype); }

void expect_formula(const Call& call) {
  const int64_t keys = call.k.size(1);
  // The operator above sums in float64, so the only error is one rounding to the output's type: 2^-9 and 2^-12.
  const double bound = call.q.scalar_type() == at::kBFloat16 ? 0x1p-8 : 0x1p-11;
  for (int64_t b = 0; b < call.q.size(0); ++b) {
    const int64_t count = call.key_lengths.defined() ? call.key_lengths[b].item<int64_t>() : keys;
    if (count == 0) {
      EXPECT_TRUE(call.out[b].eq(0).all().item<bool>());
      EXPECT_TRUE(call.log_sum_exp[b].eq(-kInfinity).all().item<bool>());
      continue;
    }
    const auto [rows, sums] =
        formula(call.q[b], call.k[b].slice(0, 0, count), call.v[b].slice(0, 0, count), call.scale);
    const at::Tensor difference = call.out[b].to(at::kDouble) - rows;
    EXPECT_LT(difference.norm().item<double>(), bound * rows.norm().item<double>()) << "row " << b;
    EXPECT_TRUE(at::allclose(call.log_sum_exp[b].to(at::kDouble), sums, 1e-6, 1e-6));
  }
}

Call random_call(int64_t batch, int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads, at::ScalarType dtype) {
  Call call;
  call.q = normal({batch, queries, heads, 16}, dtype);
  call.k = normal({batch, keys, kv_heads, 16}, dtype);
  call.v = normal({batch, keys, kv_heads, 16}, dtype);
  call.out = at::full_like(call.q, NAN);
  call.log_sum_exp = at::full({batch, heads, queries}, NAN, at::kFloat);
  call.scale = 0.3;
  return call;
}

TEST(FlashAttnFa2, IsTheFormula) {
  at::manual_seed(1);
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf})
    for (const int64_t kv_heads : {1, 2, 4}) {
      Call call = random_call(2, 5, 9, 4, kv_heads, dtype);
      calls = 0;
      attend(call);
      EXPECT_EQ(calls, 1);
      expect_formula(call);
    }
}

TEST(FlashAttnFa2, LeavesKeysBehindTheLengthAlone) {
  at::manual_seed(2);
  for (const int64_t queries : {1, 5})
    for (const int64_t kv_heads : {2, 4}) {
      Call call = random_call(3, queries, 9, 4, kv_heads, at::kHalf);
      call.key_lengths = at::tensor({9, 0, 4}, at::kInt);
      call.k[2].slice(0, 4).fill_(NAN);
      call.v[2].slice(0, 4).fill_(NAN);
      attend(call);
      expect_formula(call);
    }
}

TEST(FlashAttnFa2, ALengthBeyondTheKeysIsThatOfTheKeys) {
  at::manual_seed(3);
  Call call = random_call(2, 3, 9, 2, 2, at::kHalf);
  call.key_lengths = at::tensor({1000, -5}, at::kInt);
  attend(call);
  call.key_lengths = at::tensor({9, 0}, at::kInt);
  expect_formula(call);
}

TEST(FlashAttnFa2, TakesAnyStrides) {
  at::manual_seed(4);
  const auto heads_first = [](const at::Tensor& t) { return t.transpose(1, 2).contiguous().transpose(1, 2); };
  const auto packed = [](const at::Tensor& t) { return at::stack({t, t, t}, 2).select(2, 1); };
  for (const bool lengths : {false, true}) {
    Call call = random_call(2, 5, 9, 4, 2, at::kBFloat16);
    call.q = heads_first(call.q);
    call.k = packed(call.k);
    call.v = heads_first(call.v);
    call.out = packed(call.out);
    if (lengths) call.key_lengths = at::tensor({7, 9}, at::kInt);
    attend(call);
    expect_formula(call);
  }
}

TEST(FlashAttnFa2, NoKeysGiveZeros) {
  Call call = random_call(2, 5, 0, 4, 2, at::kHalf);
  calls = 0;
  attend(call);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(call.out.eq(0).all().item<bool>());
  EXPECT_TRUE(call.log_sum_exp.eq(-kInfinity).all().item<bool>());
  call = random_call(2, 0, 3, 4, 2, at::kHalf);
  attend(call);
  EXPECT_EQ(calls, 0);
}

TEST(FlashAttnFa2, RefusesWithTheReason) {
  AttentionLibrary library(FLASH_ATTN_FA2_LIBRARY);
  fv_attention_site site = wan_site();
  site.device = {FV_DEVICE_CPU, 0};
  EXPECT_FALSE(library.supports(site));
  EXPECT_EQ(library.message(), "runs on CUDA");
  EXPECT_EQ(library.run(site, {}), FV_REFUSED);
  EXPECT_EQ(library.message(), "runs on CUDA");
  site.device = {FV_DEVICE_CUDA, 0};  // libtorch_cuda.so is not open here
  EXPECT_FALSE(library.supports(site));
  EXPECT_EQ(library.message(), "LibTorch finds no CUDA device");
}

}  // namespace
}  // namespace fastvideo::fa2
