// The shape of the kernel: tiles, warpgroups, and the layout of shared memory.
#pragma once

#include <algorithm>
#include <utility>

#include "plugins/attention/common/hopper/wgmma.cuh"

namespace fastvideo::hopper {

constexpr int kWarpgroup = 128;     ///< threads
constexpr int kWarpgroupRows = 64;  ///< rows of a warpgroup's products, hence queries of a consumer

constexpr int kSharedBytes = 227 * 1024;  ///< of a block, at most
constexpr int kBarrierBytes = 1024;       ///< more than barriers and jobs need

/// Jobs that the producer may be ahead of the consumers.
constexpr int kJobStages = 2;

/// Bytes of a row of a panel: operands of longer rows lie as several panels, side by side.
constexpr int kPanelBytes = 128;

/// Element: of the output, __nv_bfloat16 or __half. ScoreProduct, ValueProduct: how the two products are computed, see
/// products.cuh and quantised_products.cuh. HeadSize: 64 or 128. Keys: width of a key block. Consumers: warpgroups that
/// compute, 64 queries each; one more loads. Softmax: OnlineSoftmax or QuantisedSoftmax.
template <class Element_, class ScoreProduct_, class ValueProduct_, int kHeadSize_, int kKeys_, int kConsumers_,
          class Softmax_>
struct Shape {
  using Element = Element_;
  using ScoreProduct = ScoreProduct_;
  using ValueProduct = ValueProduct_;
  using Softmax = Softmax_;
  static constexpr int kHeadSize = kHeadSize_;
  static constexpr int kKeys = kKeys_;
  static constexpr int kConsumers = kConsumers_;

  static constexpr int kRows = kConsumers * kWarpgroupRows;
  static constexpr int kThreads = (kConsumers + 1) * kWarpgroup;
  /// The register file holds 65,536 registers: the consumers take those that the producer gives up.
  static constexpr int kProducerRegisters = kConsumers == 3 ? 32 : 24;
  static constexpr int kConsumerRegisters = kConsumers == 3 ? 160 : 240;

  /// Whether key blocks whose scores lie far below others may be left out (skipping_softmax.cuh).
  static constexpr bool kSkips = false;

  /// The shape of pieces of tiles: never a cluster.
  using OfPieces = Shape;

  /// Keys of a block that lies in a stage of shared memory: kKeys of them, or fewer, are multiplied.
  static constexpr int kStageKeys = kKeys;

  /// Whether every tile has two key blocks at least; then the limits of LongTiles hold.
  static constexpr bool kLong = false;
  static constexpr int kFirst = kKeys;

  /// The widths, rising, for which there are kernels for long tiles.
  using FirstWidths = std::integer_sequence<int>;

  /// Blocks of a cluster, which work on neighbouring query tiles in step and share their loads: each block loads a part
  /// of every key block for all of them.
  static constexpr int kCluster = 1;

  /// Whether the consumers take turns at issuing products (ping-pong). Measured: with three it helps, with two it does
  /// not.
  static constexpr bool kTurns = kConsumers == 3;

  /// Queries and keys: rows along the head size, in panels.
  static constexpr int kRowBytes = kHeadSize * ScoreProduct::kElementBytes;
  static constexpr int kKeyPanelBytes = std::min(kRowBytes, kPanelBytes);
  static constexpr int kKeyPanels = kRowBytes / kKeyPanelBytes;
  static constexpr int kQueryBytes = kWarpgroupRows * kRowBytes;
  static constexpr int kKeyBytes = kKeys * kRowBytes;

  /// Values: [token][head size] in panels or, transposed, [head size][token]; then rows of ones follow, so that a
  /// further column of the product is the sum of the probabilities.
  static constexpr int kColumns = kHeadSize + ValueProduct::kSumColumns;
  static constexpr int kValuePanels = ValueProduct::kTransposed ? 1 : kHeadSize * 2 / kPanelBytes;
  static constexpr int kValueBytes = ValueProduct::kTransposed ? kColumns * kKeys : kKeys * kHeadSize * 2;
  static constexpr int kValueBytesLoaded = ValueProduct::kTransposed ? kHeadSize * kKeys : kValueBytes;

  /// Sums that a consumer keeps in shared memory, if its products do so, in fours for every thread.
  static constexpr int kStoredSumBytes = ValueProduct::kTransposed ? kColumns / 2 * kWarpgroup * 4 : 0;

  /// How many arrivals of a consumer say that it has read a stage of keys: one if only its products read, which end for
  /// all its warps; one per thread if threads read biases.
  static constexpr int kReleasesOfKeys = ScoreProduct::kBiased ? kWarpgroup : 1;

  /// Biases of the scores of a key block: a row for each consumer.
  static constexpr int kBiases = ScoreProduct::kBiased ? kKeys : 0;
  static constexpr int kBiasBytes = kBiases * static_cast<int>(sizeof(float));

  /// Blocks of keys, and of values, in flight: as many as fit, at most four. Queries of the next tile, if they fit.
  static constexpr int kFree = kSharedBytes - kBarrierBytes - kConsumers * (kQueryBytes + kStoredSumBytes);
  static constexpr int kStageBytes = kKeyBytes + kValueBytes + kConsumers * kBiasBytes;
  static constexpr int kStages = std::min(4, kFree / kStageBytes);
  static constexpr int kQueryStages = kFree - kStages * kStageBytes >= kConsumers * kQueryBytes ? 2 : 1;
  static_assert(kStages >= 2);

  static_assert(kKeys % 16 == 0);
  static_assert(!ValueProduct::kTransposed || kKeys == 64 || kKeys == 128);
};

/// A shape for calls whose tiles all have two key blocks at least, of which only the first may be partial, with at most
/// kFirst keys: the first block's products are no wider.
template <class S, int kFirst_>
struct LongTiles : S {
  static constexpr bool kLong = true;
  static constexpr int kFirst = kFirst_;
};

/// The shape as it is for products with some keys of a block.
template <class S, int kKeys_>
struct Narrow : S {
  static constexpr int kKeys = kKeys_;
};

/// Blocks of a cluster: pieces of tiles do not share their keys.
template <class S, class KeyBlocks>
constexpr int kClusterOf = KeyBlocks::Scheduler::kInPieces ? 1 : S::kCluster;

/// Shared memory. Every operand is a row of panels, [panel][row][bytes], swizzled by as many bytes as a row has.
template <class S>
struct alignas(1024) SharedMemory {
  alignas(1024) unsigned char queries[S::kQueryStages][S::kConsumers][S::kQueryBytes];
  alignas(1024) unsigned char keys[S::kStages][S::kKeyBytes];
  alignas(1024) unsigned char values[S::kStages][S::kValueBytes];
  alignas(16) unsigned char sums[S::kConsumers * S::kStoredSumBytes + 16];  ///< one array even where it is not needed
  alignas(16) float biases[S::kStages * S::kConsumers * S::kBiases + 4];    ///< one array even where it is not needed
  Barrier queries_full[S::kQueryStages][S::kConsumers], queries_empty[S::kQueryStages][S::kConsumers];
  Barrier keys_full[S::kStages], keys_empty[S::kStages];
  Barrier values_full[S::kStages], values_empty[S::kStages];
  int jobs[kJobStages];  ///< drawn by the producer: jobs.cuh
  Barrier jobs_full[kJobStages], jobs_empty[kJobStages];

  /// The sums of a thread of a consumer.
  __device__ float4* stored_sums(int consumer) {
    return reinterpret_cast<float4*>(sums + consumer * S::kStoredSumBytes) + threadIdx.x % kWarpgroup;
  }

  /// The biases of a consumer's scores in a stage.
  __device__ float* biases_of(int stage, int consumer) {
    return biases + (stage * S::kConsumers + consumer) * S::kBiases;
  }

  /// One thread, at the start of the kernel. cluster: blocks that read the same keys and values.
  __device__ void init_barriers(int cluster = 1) {
    for (int stage = 0; stage < S::kQueryStages; ++stage)
      for (int i = 0; i < S::kConsumers; ++i) {
        queries_full[stage][i].init(1);
        queries_empty[stage][i].init(1);
      }
    for (int i = 0; i < S::kStages; ++i) {
      keys_full[i].init(1);
      keys_empty[i].init(S::kConsumers * S::kReleasesOfKeys * cluster);
      values_full[i].init(1);
      values_empty[i].init(S::kConsumers * cluster);
    }
    for (int i = 0; i < kJobStages; ++i) {
      jobs_full[i].init(1);
      jobs_empty[i].init(S::kConsumers * kWarpgroup / 32);
    }
    fence_barrier_init();
  }

  /// All threads, at the start of the kernel: the rows of ones behind transposed values, which no copy overwrites.
  __device__ void init_ones() {
    if constexpr (S::ValueProduct::kSumColumns > 0) {
      constexpr int kBytes = S::kValueBytes - S::kValueBytesLoaded;
      for (int i = threadIdx.x; i < S::kStages * kBytes / 4; i += S::kThreads)
        reinterpret_cast<uint32_t*>(values[i * 4 / kBytes] + S::kValueBytesLoaded)[i % (kBytes / 4)] =
            S::ValueProduct::kOnes;
      fence_for_async_proxy();
    }
  }
};

/// A place in a ring of stages: which stage, and the parity of its current round.
template <int kStages>
struct RingPlace {
  int stage = 0;
  uint32_t parity = 0;

  __device__ void next() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

}  // namespace fastvideo::hopper
