// The shape of the kernel: tiles, warpgroups, and what lies where in shared memory.
#pragma once

#include <algorithm>

#include "plugins/attention/common/hopper/wgmma.cuh"

namespace fastvideo::hopper {

constexpr int kWarpgroup = 128;     ///< threads
constexpr int kWarpgroupRows = 64;  ///< rows of a warpgroup's products, hence queries of a consumer

constexpr int kSharedBytes = 227 * 1024;  ///< of a block, at most
constexpr int kBarrierBytes = 1024;       ///< more than the barriers need

/// Columns of 16-bit elements in a swizzled row.
constexpr int kPanel = kSwizzleBytes / 2;

/// Element: __nv_bfloat16 or __half. HeadSize: 64 or 128. Keys: width of a key block. Consumers: warpgroups that
/// compute, 64 queries each; one more loads. Cluster: blocks that load keys and values together, 1 or 2.
/// Softmax: ExactSoftmax or LazySoftmax.
template <class Element_, int kHeadSize_, int kKeys_, int kConsumers_, int kCluster_, class Softmax_>
struct Shape {
  using Element = Element_;
  using Softmax = Softmax_;
  static constexpr int kHeadSize = kHeadSize_;
  static constexpr int kKeys = kKeys_;
  static constexpr int kConsumers = kConsumers_;
  static constexpr int kCluster = kCluster_;

  static constexpr int kRows = kConsumers * kWarpgroupRows;
  static constexpr int kThreads = (kConsumers + 1) * kWarpgroup;
  static constexpr int kPanels = kHeadSize / kPanel;
  /// The register file holds 65,536: what the producer gives up, the consumers take.
  static constexpr int kProducerRegisters = kConsumers == 3 ? 32 : 24;
  static constexpr int kConsumerRegisters = kConsumers == 3 ? 160 : 240;

  /// Keys that one block of a cluster loads for all of them.
  static constexpr int kKeysLoaded = kKeys / kCluster;
  static constexpr int kQueryBytes = kWarpgroupRows * kHeadSize * 2;
  static constexpr int kKeyBytes = kKeys * kHeadSize * 2;

  /// Blocks of keys, and of values, in flight: what fits, at most four.
  static constexpr int kStages =
      std::min(4, (kSharedBytes - kBarrierBytes - kConsumers * kQueryBytes) / (2 * kKeyBytes));
  static_assert(kStages >= 2);

  static_assert(kHeadSize % kPanel == 0 && kKeys % 16 == 0 && kKeysLoaded % 8 == 0);
};

/// Shared memory. Every tile is a row of panels of 64 columns, [panel][row][64], swizzled by 128 bytes.
template <class S>
struct alignas(1024) SharedMemory {
  alignas(1024) typename S::Element queries[S::kConsumers][S::kPanels][kWarpgroupRows][kPanel];
  alignas(1024) typename S::Element keys[S::kStages][S::kPanels][S::kKeys][kPanel];
  alignas(1024) typename S::Element values[S::kStages][S::kPanels][S::kKeys][kPanel];
  Barrier queries_full[S::kConsumers], queries_empty[S::kConsumers];
  Barrier keys_full[S::kStages], keys_empty[S::kStages];
  Barrier values_full[S::kStages], values_empty[S::kStages];

  /// One thread, at the start of the kernel.
  __device__ void init_barriers() {
    for (int i = 0; i < S::kConsumers; ++i) {
      queries_full[i].init(1);
      queries_empty[i].init(1);
    }
    for (int i = 0; i < S::kStages; ++i) {
      keys_full[i].init(1);
      keys_empty[i].init(S::kConsumers * S::kCluster);
      values_full[i].init(1);
      values_empty[i].init(S::kConsumers * S::kCluster);
    }
    fence_barrier_init();
  }
};

/// A place in a ring of stages: which stage, and the parity of its current round.
template <class S>
struct RingPlace {
  int stage = 0;
  uint32_t parity = 0;

  __device__ void next() {
    if (++stage == S::kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

}  // namespace fastvideo::hopper
