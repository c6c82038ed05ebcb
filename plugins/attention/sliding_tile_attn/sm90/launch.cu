// The shared main loop over lists of tiles: its kernel shapes, and their launch.
#include "plugins/attention/common/hopper/dense/dense.cuh"
#include "plugins/attention/common/hopper/listed_tiles.hpp"
#include "plugins/attention/sliding_tile_attn/sm90/launch.hpp"

namespace fastvideo::sliding_tile {
namespace {

/// The shapes of dense attention. The producer, which reads lists, gets registers that its consumers can spare; two
/// consumers take turns, too.
template <class Element, int kHeadSize, int kKeys, int kConsumers>
struct Shape : dense::Shape<Element, kHeadSize, kKeys, kConsumers> {
  static constexpr bool kTurns = true;
  static constexpr int kProducerRegisters = kConsumers == 3 ? 32 : 40;
  static constexpr int kConsumerRegisters = kConsumers == 3 ? 160 : 232;
};

// Key lengths are a template argument: without them there are no checks of them between two products.
template <class S, bool kLengths>
using Blocks = hopper::ListedKeyBlocks<S::kKeys, kLengths>;

template <class S, bool kLengths>
void launch_with(const hopper::Call& call, const Lists& lists, int blocks, cudaStream_t stream) {
  auto p = dense::half_parameters<S, Blocks<S, kLengths>>(call);
  p.key_blocks = {lists.key_blocks, call.key_lengths};
  p.scheduler = lists.scheduler;
  p.scheduler.batch = static_cast<int>(call.batch);
  hopper::launch_kernel<S>(p, blocks, stream);
}

template <class S>
void launch(const hopper::Call& call, const Lists& lists, int blocks, cudaStream_t stream) {
  if (call.batch == 0) return;
  if (call.key_lengths == nullptr)
    launch_with<S, false>(call, lists, blocks, stream);
  else
    launch_with<S, true>(call, lists, blocks, stream);
}

template <class S>
int prepare() {
  return std::min(hopper::prepare_kernel<S, Blocks<S, false>>(), hopper::prepare_kernel<S, Blocks<S, true>>());
}

template <class S>
constexpr Kernel kernel(const char* key_block) {
  return {key_block, std::is_same_v<typename S::Element, __nv_bfloat16>, S::kHeadSize, S::kRows, S::kKeys, prepare<S>,
          launch<S>};
}

// A tile of 6x8x8 is three blocks of 128 queries or two of 192, and three of 128 keys; three in a row are eight of 144.
// The best shapes come first.
template <class Element>
constexpr Kernel kKernels[] = {kernel<Shape<Element, 128, 144, 2>>("144"), kernel<Shape<Element, 128, 128, 2>>("128"),
                               kernel<Shape<Element, 128, 176, 2>>("176"), kernel<Shape<Element, 64, 128, 3>>("128")};

}  // namespace

const Kernel* find_kernel(bool bfloat16, int head_size, std::string_view key_block) {
  for (const Kernel& one : bfloat16 ? kKernels<__nv_bfloat16> : kKernels<__half>)
    if (one.head_size == head_size && (key_block == "auto" || key_block == one.key_block)) return &one;
  return nullptr;
}

}  // namespace fastvideo::sliding_tile
