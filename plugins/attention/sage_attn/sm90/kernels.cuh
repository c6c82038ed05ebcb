// How a call becomes launches: its preparation, then the shared main loop with 8-bit products.
#pragma once

#include <algorithm>

#include "plugins/attention/common/hopper/launch_dense.cuh"
#include "plugins/attention/common/hopper/quantised_products.cuh"
#include "plugins/attention/common/hopper/quantised_softmax.cuh"
#include "plugins/attention/sage_attn/sm90/biases.cuh"
#include "plugins/attention/sage_attn/sm90/kernels.hpp"
#include "plugins/attention/sage_attn/sm90/quantise.cuh"
#include "plugins/attention/sage_attn/sm90/workspace.hpp"

namespace fastvideo::sage {

static_assert(hopper::kKeysOfAScale == kBlockTokens && hopper::kWarpgroupRows == kQueryBlock);

// Three consumers fill each other's gaps where registers allow; two have registers for a softmax that runs ahead.
template <int kSize, bool kFp8, bool kSmoothQ>
constexpr bool kThree = !kSmoothQ && kFp8 && kSize == 64;

template <class Element, int kSize, bool kFp8, bool kSmoothQ>
using Shape =
    hopper::Shape<Element, hopper::IntegerScores<kSmoothQ>,
                  std::conditional_t<kFp8, hopper::E4M3Values, hopper::HalfValues<Element>>, kSize, kBlockTokens,
                  kThree<kSize, kFp8, kSmoothQ> ? 3 : 2, hopper::QuantisedSoftmax<!kThree<kSize, kFp8, kSmoothQ>>>;

template <class S>
using KeyBlocks = hopper::DenseKeyBlocks<S::kKeys>;

/// The workspace's arrays for a call.
inline Quantisation quantisation(const Quantiser& quantiser, const hopper::Call& c, Workspace& workspace) {
  const auto view = [](const void* data, const hopper::TokenStrides& s, int64_t tokens, int64_t heads) {
    return TokenView{data, s.batch, s.token, s.head, static_cast<int>(tokens), static_cast<int>(heads)};
  };
  Quantisation p{};
  p.q = view(c.q, c.q_strides, c.queries, c.heads);
  p.k = view(c.k, c.k_strides, c.keys, c.kv_heads);
  p.v = view(c.v, c.v_strides, c.keys, c.kv_heads);
  p.batch = static_cast<int>(c.batch);
  p.smooth_k = quantiser.smooth_k;
  p.per_block = quantiser.per_block;
  p.quantise_v = quantiser.fp8_values;
  p.smooth_q = quantiser.smooth_q;
  take_operands(p, quantiser.head_size, workspace);
  return p;
}

/// Keys, values and, unless they lose their mean, queries.
template <class Element, int kSize>
void quantise(const Quantisation& p, cudaStream_t stream) {
  const unsigned batch = p.batch, k_heads = p.k.heads, values = p.quantise_v ? 1 : 0;
  const unsigned q_heads = p.smooth_q ? 0 : p.q.heads;
  const unsigned q_blocks = p.smooth_q ? 0 : hopper::ceil_div(p.q.tokens, kBlockTokens);
  statistics_kernel<Element, kSize><<<dim3(p.parts, k_heads, batch * (1 + values)), kThreads, 0, stream>>>(p);
  join_kernel<kSize><<<dim3(k_heads, batch), kSize, 0, stream>>>(p);
  quantise_kernel<Element, kSize>
      <<<dim3(std::max(q_blocks, static_cast<unsigned>(p.key_blocks)), q_heads + k_heads * (1 + values), batch),
         kThreads, 0, stream>>>(p, static_cast<int>(q_heads));
  if (p.quantise_v) residual_kernel<kSize><<<dim3(k_heads, batch), kResidualThreads, 0, stream>>>(p);
  hopper::check_cuda(cudaGetLastError(), "launching the quantisation of q, k and v");
}

/// Queries less their mean, and the mean's part of the scores.
template <class Element, int kSize>
void smooth_queries(const Quantisation& p, float scale_log2, cudaStream_t stream) {
  const unsigned heads = p.q.heads, batch = p.batch;
  smooth_queries_kernel<Element, kSize>
      <<<dim3(hopper::ceil_div(p.q.tokens, kBlockTokens), heads, batch), kThreads, 0, stream>>>(p);
  biases_kernel<Element, kSize><<<dim3(p.key_blocks, heads, batch), kBiasThreads, 0, stream>>>(p, scale_log2);
  hopper::check_cuda(cudaGetLastError(), "launching the quantisation of q less its mean");
}

template <class S>
void attend(const Quantisation& q, const hopper::Call& c, int blocks, cudaStream_t stream) {
  constexpr int kSize = S::kHeadSize;
  constexpr bool kFp8 = S::ValueProduct::kTransposed;
  const auto contiguous = [&](const void* data, int64_t tokens, int64_t heads, int64_t size) {
    return hopper::TokenTensor{data, c.batch, tokens, heads, size, heads * tokens * size, size, tokens * size};
  };
  const int64_t padded_keys = int64_t{q.key_blocks} * kBlockTokens;
  auto p = hopper::make_parameters<S, KeyBlocks<S>>(c);
  p.queries = hopper::make_tensor_map(contiguous(q.q8, c.queries, c.heads, kSize), hopper::kWarpgroupRows,
                                      hopper::MapElement::byte);
  p.keys = hopper::make_tensor_map(contiguous(q.k8, c.keys, c.kv_heads, kSize), S::kKeys, hopper::MapElement::byte);
  if constexpr (kFp8)
    p.values = hopper::make_tensor_map(contiguous(q.v8, kSize, c.kv_heads, padded_keys), kSize,
                                       hopper::MapElement::byte, S::kKeys);
  else
    p.values = hopper::make_tensor_map(hopper::token_tensor(c.v, c.batch, c.keys, c.kv_heads, kSize, c.v_strides),
                                       S::kKeys, hopper::map_element<typename S::Element>());
  p.scales = {q.q_scales, q.k_scales, q.v_scales, q.v_residual, q.query_groups, q.key_blocks};
  p.biases = {q.biases, q.query_blocks, static_cast<int>(padded_keys)};
  hopper::launch_dense<S>(p, c, blocks, stream);
}

/// A call restricted to some of its queries.
template <class Element>
hopper::Call queries_of(hopper::Call c, int64_t first, int64_t count) {
  c.queries = count;
  c.q = static_cast<const Element*>(c.q) + first * c.q_strides.token;
  c.out = static_cast<Element*>(c.out) + first * c.out_strides.token;
  if (c.log_sum_exp != nullptr) c.log_sum_exp += first;
  return c;
}

template <class S>
void launch(const Quantiser& quantiser, const hopper::Call& call, int64_t together, void* memory, int blocks, Part part,
            CUstream_st* stream) {
  using Element = typename S::Element;
  for (int64_t first = 0; first < call.queries; first += together) {
    hopper::Call c = queries_of<Element>(call, first, std::min(together, call.queries - first));
    Workspace workspace(memory);
    const Quantisation p = quantisation(quantiser, c, workspace);
    c.pieces = workspace.take<char>(static_cast<int64_t>(hopper::piece_bytes<S>(c.keys, blocks)));
    if (first == 0 && c.keys > 0) quantise<Element, S::kHeadSize>(p, stream);
    if constexpr (S::ScoreProduct::kBiased)
      if (c.keys > 0) smooth_queries<Element, S::kHeadSize>(p, hopper::scale_log2(c), stream);
    if (part == Part::all) attend<S>(p, c, blocks, stream);
  }
}

template <class S>
constexpr Kernels kernels_of(bool bfloat16) {
  return {bfloat16,
          S::kHeadSize,
          S::ValueProduct::kTransposed,
          S::ScoreProduct::kBiased,
          hopper::prepare_dense<S>,
          hopper::piece_bytes<S>,
          launch<S>};
}

/// All kernels for an element type; each type is compiled in its own file.
template <class Element, bool kBFloat16 = std::is_same_v<Element, __nv_bfloat16>>
inline constexpr Kernels kKernels[] = {
    kernels_of<Shape<Element, 128, true, false>>(kBFloat16),  kernels_of<Shape<Element, 128, true, true>>(kBFloat16),
    kernels_of<Shape<Element, 128, false, false>>(kBFloat16), kernels_of<Shape<Element, 128, false, true>>(kBFloat16),
    kernels_of<Shape<Element, 64, true, false>>(kBFloat16),   kernels_of<Shape<Element, 64, true, true>>(kBFloat16),
    kernels_of<Shape<Element, 64, false, false>>(kBFloat16),  kernels_of<Shape<Element, 64, false, true>>(kBFloat16),
};

}  // namespace fastvideo::sage
