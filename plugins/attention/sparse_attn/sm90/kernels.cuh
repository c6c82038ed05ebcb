// The shapes of the routed kernel, and its launch.
#pragma once

#include "plugins/attention/common/hopper/dense/dense.cuh"
#include "plugins/attention/sparse_attn/sm90/launch.hpp"
#include "plugins/attention/sparse_attn/sm90/means.cuh"
#include "plugins/attention/sparse_attn/sm90/route.cuh"
#include "plugins/attention/sparse_attn/sm90/routed_tiles.hpp"

namespace fastvideo::sparse {

/// The shapes of dense attention. The producer, which reads lists, gets registers that its consumers can spare; two
/// consumers take turns, too (as SLIDING_TILE_ATTN, where both were measured).
template <class Element, int kHeadSize, int kKeys, int kConsumers>
struct RoutedShape : dense::Shape<Element, kHeadSize, kKeys, kConsumers> {
  static constexpr bool kTurns = true;
  static constexpr int kProducerRegisters = kConsumers == 3 ? 32 : 40;
  static constexpr int kConsumerRegisters = kConsumers == 3 ? 160 : 232;
};

template <class T>
T* in_workspace(void* workspace, size_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(workspace) + offset);
}

inline Workspace workspace_of(const Routing& r, const hopper::Call& c, int head_size) {
  return workspace_of(r, c.batch, c.heads, c.kv_heads, head_size);
}

template <class S>
int prepare_routed() {
  hopper::check_cuda(cudaFuncSetAttribute(route_kernel<typename S::Element, S::kHeadSize>,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize, route_bytes(kMostKeyBlocks)),
                     "setting the shared memory of the kernel that chooses key blocks");
  return std::min(hopper::prepare_kernel<S, RoutedKeyBlocks<S::kKeys, false>>(),
                  hopper::prepare_kernel<S, RoutedKeyBlocks<S::kKeys, true>>());
}

template <class S>
void launch_route(const Routing& r, const hopper::Call& c, void* workspace, cudaStream_t stream) {
  using Element = typename S::Element;
  if (c.batch == 0) return;
  const Workspace at = workspace_of(r, c, S::kHeadSize);
  const int batch = static_cast<int>(c.batch), heads = static_cast<int>(c.heads);
  const int kv_heads = static_cast<int>(c.kv_heads);
  auto* query_means = in_workspace<Element>(workspace, at.query_means);
  auto* key_means = in_workspace<Element>(workspace, at.key_means);
  const MeansOf of_queries{c.q, c.q_strides, r.queries, heads, r.rows / kParts, r.query_blocks() * kParts, nullptr};
  const MeansOf of_keys{c.k,          c.k_strides, r.keys, kv_heads, r.width / kParts, r.key_blocks(r.keys) * kParts,
                        c.key_lengths};
  launch_means<Element, S::kHeadSize>(of_queries, query_means, of_keys, key_means, batch, stream);

  RouteParameters<Element> p{};
  p.routing = r;
  p.query_means = query_means;
  p.key_means = key_means;
  p.heads = heads;
  p.kv_heads = kv_heads;
  p.key_lengths = c.key_lengths;
  p.scale_log2 = hopper::scale_log2(c);
  p.counter = in_workspace<unsigned>(workspace, at.counter);
  p.counts = in_workspace<int>(workspace, at.counts);
  p.lists = in_workspace<uint16_t>(workspace, at.lists);
  const dim3 grid(hopper::ceil_div(r.query_blocks(), kTilesOfRouter), heads, batch);
  route_kernel<Element, S::kHeadSize><<<grid, kRouterThreads, route_bytes(r.key_blocks(r.keys)), stream>>>(p);
  hopper::check_cuda(cudaGetLastError(), "launching the kernel that chooses key blocks");
}

template <class S, bool kDrawn>
void attend_with(const Routing& r, const hopper::Call& c, void* workspace, int blocks, cudaStream_t stream) {
  const Workspace at = workspace_of(r, c, S::kHeadSize);
  auto p = dense::half_parameters<S, RoutedKeyBlocks<S::kKeys, kDrawn>>(c);
  p.key_blocks = {in_workspace<uint16_t>(workspace, at.lists), in_workspace<int>(workspace, at.counts),
                  r.key_blocks(r.keys), c.key_lengths, r.keys};
  p.scheduler = {static_cast<int>(c.queries),
                 static_cast<int>(c.heads),
                 static_cast<int>(c.batch),
                 S::kRows,
                 r.after > 0,
                 in_workspace<unsigned>(workspace, at.counter)};
  hopper::launch_kernel<S>(p, blocks, stream);
}

// With a share, no text and no key lengths all tiles are equally long: jobs need not be drawn.
template <class S>
void launch_attend(const Routing& r, const hopper::Call& c, void* workspace, int blocks, cudaStream_t stream) {
  if (c.batch == 0) return;
  if (r.mass == 0 && r.before == 0 && r.after == 0 && c.key_lengths == nullptr)
    attend_with<S, false>(r, c, workspace, blocks, stream);
  else
    attend_with<S, true>(r, c, workspace, blocks, stream);
}

template <class S>
constexpr Kernel routed_kernel(const char* key_block) {
  return {key_block,       std::is_same_v<typename S::Element, __nv_bfloat16>,
          S::kHeadSize,    S::kRows,
          S::kKeys,        prepare_routed<S>,
          launch_route<S>, launch_attend<S>};
}

/// The best of a head size comes first.
template <class Element>
inline constexpr Kernel kKernels[] = {
    routed_kernel<RoutedShape<Element, 128, 144, 2>>("144"), routed_kernel<RoutedShape<Element, 128, 128, 2>>("128"),
    routed_kernel<RoutedShape<Element, 128, 176, 2>>("176"), routed_kernel<RoutedShape<Element, 64, 128, 3>>("128")};

}  // namespace fastvideo::sparse
