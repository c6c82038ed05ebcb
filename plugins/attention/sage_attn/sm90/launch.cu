#include "plugins/attention/sage_attn/sm90/launch.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "plugins/attention/common/hopper/launch.cuh"
#include "plugins/attention/common/hopper/quantised_products.cuh"
#include "plugins/attention/common/hopper/quantised_softmax.cuh"
#include "plugins/attention/sage_attn/sm90/workspace.hpp"

namespace fastvideo::sage {
namespace {

static_assert(hopper::kKeysOfAScale == kBlockTokens);

// Three consumers fill each other's gaps where registers allow; two have registers for a softmax that runs ahead.
template <class Element, int kSize, bool kFp8>
using Shape =
    hopper::Shape<Element, hopper::Int8Scores,
                  std::conditional_t<kFp8, hopper::E4M3Values, hopper::HalfValues<Element>>, kSize, kBlockTokens,
                  kFp8 && kSize == 64 ? 3 : 2, hopper::QuantisedSoftmax<!(kFp8 && kSize == 64)>>;

template <class S>
using KeyBlocks = hopper::DenseKeyBlocks<S::kKeys>;

Quantisation quantisation(const Quantiser& quantiser, const hopper::Call& c, void* memory) {
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
  Workspace workspace(memory);
  take_operands(p, quantiser.head_size, workspace);
  return p;
}

template <class Element, int kSize>
void quantise(const Quantisation& p, cudaStream_t stream) {
  const unsigned batch = p.batch, k_heads = p.k.heads, q_blocks = hopper::ceil_div(p.q.tokens, kBlockTokens);
  const unsigned values = p.quantise_v ? 1 : 0;
  statistics_kernel<Element, kSize><<<dim3(p.parts, k_heads, batch * (1 + values)), kThreads, 0, stream>>>(p);
  join_kernel<kSize><<<dim3(k_heads, batch), kSize, 0, stream>>>(p);
  quantise_kernel<Element, kSize>
      <<<dim3(std::max(q_blocks, static_cast<unsigned>(p.key_blocks)), p.q.heads + k_heads * (1 + values), batch),
         kThreads, 0, stream>>>(p);
  if (p.quantise_v) residual_kernel<kSize><<<dim3(k_heads, batch), kResidualThreads, 0, stream>>>(p);
  hopper::check_cuda(cudaGetLastError(), "launching the quantisation of q, k and v");
}

template <class S>
void attend(const Quantisation& q, const hopper::Call& c, int blocks, cudaStream_t stream) {
  constexpr int kSize = S::kHeadSize;
  constexpr bool kFp8 = S::ValueProduct::kTransposed;
  const auto contiguous = [&](const void* data, int64_t tokens, int64_t heads, int64_t size) {
    return hopper::TokenTensor{data, c.batch, tokens, heads, size, heads * tokens * size, size, tokens * size};
  };
  auto p = hopper::make_parameters<S, KeyBlocks<S>>(c);
  p.queries = hopper::make_tensor_map(contiguous(q.q8, c.queries, c.heads, kSize), hopper::kWarpgroupRows,
                                      hopper::MapElement::kByte);
  p.keys = hopper::make_tensor_map(contiguous(q.k8, c.keys, c.kv_heads, kSize), S::kKeys, hopper::MapElement::kByte);
  if constexpr (kFp8)
    p.values =
        hopper::make_tensor_map(contiguous(q.v8, kSize, c.kv_heads, static_cast<int64_t>(q.key_blocks) * kBlockTokens),
                                kSize, hopper::MapElement::kByte, S::kKeys);
  else
    p.values = hopper::make_tensor_map(hopper::token_tensor(c.v, c.batch, c.keys, c.kv_heads, kSize, c.v_strides),
                                       S::kKeys, hopper::map_element<typename S::Element>());
  p.scales = {q.q_scales, q.k_scales, q.v_scales, q.v_residual, q.query_groups, q.key_blocks};
  p.key_blocks = {nullptr, static_cast<int>(c.keys)};
  hopper::launch_kernel<S>(p, blocks, stream);
}

// Calls action with the types of a quantiser: an element as a value, and the shape of the attention kernel.
template <class Action>
auto dispatch(const Quantiser& quantiser, Action action) {
  const auto sized = [&]<class Element>(Element element) {
    const auto valued = [&]<int kSize>(std::integral_constant<int, kSize> size) {
      if (quantiser.fp8_values) return action(element, size, std::type_identity<Shape<Element, kSize, true>>{});
      return action(element, size, std::type_identity<Shape<Element, kSize, false>>{});
    };
    if (quantiser.head_size == 128) return valued(std::integral_constant<int, 128>{});
    if (quantiser.head_size == 64) return valued(std::integral_constant<int, 64>{});
    throw std::invalid_argument("SAGE_ATTN has kernels for head sizes 64 and 128, not " +
                                std::to_string(quantiser.head_size));
  };
  return quantiser.bfloat16 ? sized(__nv_bfloat16{}) : sized(__half{});
}

}  // namespace

size_t workspace_bytes(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads,
                       int64_t kv_heads) {
  Quantisation p{};
  p.q.tokens = static_cast<int>(queries);
  p.q.heads = static_cast<int>(heads);
  p.k.tokens = static_cast<int>(keys);
  p.k.heads = static_cast<int>(kv_heads);
  p.batch = static_cast<int>(batch);
  p.quantise_v = quantiser.fp8_values;
  Workspace workspace(nullptr);
  take_operands(p, quantiser.head_size, workspace);
  return workspace.used();
}

int prepare(const Quantiser& quantiser) {
  return dispatch(quantiser,
                  []<class S>(auto, auto, std::type_identity<S>) { return hopper::prepare_kernel<S, KeyBlocks<S>>(); });
}

void launch(const Quantiser& quantiser, const hopper::Call& call, void* workspace, int blocks, Part part,
            CUstream_st* stream) {
  if (call.batch == 0 || call.queries == 0 || call.heads == 0) return;
  const Quantisation p = quantisation(quantiser, call, workspace);
  dispatch(quantiser,
           [&]<class Element, int kSize, class S>(Element, std::integral_constant<int, kSize>, std::type_identity<S>) {
             if (part != Part::kAttention && call.keys > 0) quantise<Element, kSize>(p, stream);
             if (part != Part::kQuantise) attend<S>(p, call, blocks, stream);
           });
}

}  // namespace fastvideo::sage
