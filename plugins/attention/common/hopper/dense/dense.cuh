// How a kernel of a given shape is prepared and launched.
#pragma once

#include "plugins/attention/common/hopper/dense/dense.hpp"
#include "plugins/attention/common/hopper/launch_dense.cuh"
#include "plugins/attention/common/hopper/products.cuh"

namespace fastvideo::dense {

/// Dense attention in 16 bits: see hopper/shape.cuh.
template <class Element, int kHeadSize, int kKeys, int kConsumers>
using Shape = hopper::Shape<Element, hopper::HalfScores<Element>, hopper::HalfValues<Element>, kHeadSize, kKeys,
                            kConsumers, hopper::OnlineSoftmax>;

/// The same, with kernels for long tiles (LongTiles) of such first key blocks. kCluster: 2 if two blocks share their
/// loads; their consumers wait for those of the other block and do not take turns besides.
template <class Element, int kHeadSize, int kKeys, int kConsumers, int kCluster_, int... kFirstWidths>
struct OwnShape : Shape<Element, kHeadSize, kKeys, kConsumers> {
  static constexpr int kCluster = kCluster_;
  static constexpr bool kTurns = kConsumers == 3 && kCluster == 1;
  using FirstWidths = std::integer_sequence<int, kFirstWidths...>;
};

template <class S>
using KeyBlocks = hopper::DenseKeyBlocks<S::kKeys>;

/// Parameters with the 16-bit operands of a call. Blocks: the policy of hopper/key_blocks.hpp.
template <class S, class Blocks>
hopper::Parameters<Blocks> half_parameters(const hopper::Call& c) {
  constexpr auto kElement = hopper::map_element<typename S::Element>();
  auto p = hopper::make_parameters<S, Blocks>(c);
  p.queries = hopper::make_tensor_map(hopper::token_tensor(c.q, c.batch, c.queries, c.heads, S::kHeadSize, c.q_strides),
                                      hopper::kWarpgroupRows, kElement);
  if (c.keys > 0) {  // without keys there are no loads
    p.keys = hopper::make_tensor_map(hopper::token_tensor(c.k, c.batch, c.keys, c.kv_heads, S::kHeadSize, c.k_strides),
                                     S::kKeys, kElement);
    p.values = hopper::make_tensor_map(
        hopper::token_tensor(c.v, c.batch, c.keys, c.kv_heads, S::kHeadSize, c.v_strides), S::kKeys, kElement);
  }
  return p;
}

template <class S>
void launch(const hopper::Call& c, int blocks, cudaStream_t stream) {
  if (c.batch == 0 || c.queries == 0 || c.heads == 0) return;
  hopper::launch_dense<S>(half_parameters<S, KeyBlocks<S>>(c), c, blocks, stream);
}

template <int... kWidths>
constexpr std::array<int, kMostWidths> widths(std::integer_sequence<int, kWidths...>) {
  std::array<int, kMostWidths> all{};
  size_t i = 0;
  ((all[i++] = kWidths), ...);
  return all;
}

template <class S>
constexpr Kernel kernel(const char* name, hopper::TileTimes times) {
  return {name,
          std::is_same_v<typename S::Element, __nv_bfloat16>,
          S::kHeadSize,
          S::kRows,
          S::kKeys,
          S::kCluster,
          widths(typename S::FirstWidths()),
          times,
          hopper::prepare_dense<S>,
          hopper::piece_bytes<S>,
          launch<S>};
}

/// All kernels for elements of a type, which is compiled in a file of its own.
template <class Element>
inline constexpr Kernel kKernels[] = {
    // Head size, width of a key block, consumers; times: from docs/measured/attention_turns.md.
    kernel<OwnShape<Element, 128, 80, 3, 2, 48>>("192x80x2", {1.415, 3.9}),
    kernel<OwnShape<Element, 128, 176, 2, 2, 48, 80, 112, 160>>("128x176x2", {2.17, 2.2}),
    kernel<OwnShape<Element, 128, 80, 3, 1, 48>>("192x80", {1.445, 4.2}),
    kernel<OwnShape<Element, 128, 176, 2, 1>>("128x176", {2.24, 2.2}),
    kernel<OwnShape<Element, 64, 128, 3, 1>>("192x128", {1.52, 1.4}),
};

}  // namespace fastvideo::dense
