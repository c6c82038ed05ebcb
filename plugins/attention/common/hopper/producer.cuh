// The producer: one thread that keeps the copy engine busy. Queries come once a tile; keys and values go through rings
// of stages, values one block behind keys, in the order in which the consumers need them (FlashAttention-3,
// section 3.1).
#pragma once

#include "plugins/attention/common/hopper/jobs.cuh"
#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/shape.cuh"
#include "plugins/attention/common/hopper/tensor_copy.cuh"

namespace fastvideo::hopper {

template <class S, class KeyBlocks>
class Producer {
 public:
  __device__ Producer(const Parameters<KeyBlocks>& parameters, SharedMemory<S>& shared)
      : p_(parameters), shared_(shared) {
    prefetch_tensor_map(p_.queries);
    prefetch_tensor_map(p_.keys);
    prefetch_tensor_map(p_.values);
  }

  /// Loads all operands that the consumers need on their walk.
  __device__ void run(ProducerWalk<S, KeyBlocks> walk) {
    if (walk.done()) return;
    load_keys(walk.tile(), walk.block());
    load_queries(walk.tile());
    for (;;) {
      const QueryTile tile = walk.tile();
      while (!walk.last()) {
        const KeyBlock before = walk.block();
        walk.next_block();
        load_keys(tile, walk.block());
        load_values(tile, before);
      }
      const KeyBlock before = walk.block();
      walk.next_tile();
      if (!walk.done()) load_keys(walk.tile(), walk.block());
      load_values(tile, before);
      if (walk.done()) return;
      load_queries(walk.tile());
    }
  }

 private:
  __device__ void load_queries(QueryTile tile) {
    for (int w = 0; w < S::kConsumers; ++w) {
      Barrier& full = shared_.queries_full[queries_.stage][w];
      shared_.queries_empty[queries_.stage][w].wait(queries_.parity ^ 1);
      full.arrive_and_expect(S::kQueryBytes);
      for (int panel = 0; panel < S::kKeyPanels; ++panel)
        copy_box(shared_.queries[queries_.stage][w] + panel * kWarpgroupRows * S::kKeyPanelBytes, p_.queries,
                 {panel * kPanelColumns, tile.first_query + w * kWarpgroupRows, tile.head, tile.batch}, full,
                 kEvictFirst);
    }
    queries_.next();
  }

  __device__ void load_keys(QueryTile tile, KeyBlock block) {
    Barrier& full = shared_.keys_full[keys_.stage];
    const int head = tile.head / p_.heads_per_key_head;
    shared_.keys_empty[keys_.stage].wait(keys_.parity ^ 1);
    full.arrive_and_expect(S::kKeyBytes + S::kConsumers * S::kBiasBytes);
    if constexpr (S::ScoreProduct::kBiased) load_biases(tile, block, full);
    for (int panel = first_panel(); panel < S::kKeyPanels; panel += kCluster)
      copy_shared_box(shared_.keys[keys_.stage] + panel * S::kKeys * S::kKeyPanelBytes, p_.keys,
                      {panel * kPanelColumns, block.first, head, tile.batch}, full);
    keys_.next();
  }

  // A tile's last consumers may have no query: they get the biases of the last consumer with queries.
  __device__ void load_biases(QueryTile tile, KeyBlock block, Barrier& full) {
    const Biases& b = p_.biases;
    const int64_t head = static_cast<int64_t>(tile.batch) * p_.heads + tile.head;
    for (int w = 0; w < S::kConsumers; ++w) {
      const int query_block = min(tile.first_query / kWarpgroupRows + w, b.query_blocks - 1);
      copy_bytes(shared_.biases_of(keys_.stage, w),
                 b.of_keys + (head * b.query_blocks + query_block) * b.keys + block.first, S::kBiasBytes, full);
    }
  }

  __device__ void load_values(QueryTile tile, KeyBlock block) {
    Barrier& full = shared_.values_full[values_.stage];
    const int head = tile.head / p_.heads_per_key_head;
    shared_.values_empty[values_.stage].wait(values_.parity ^ 1);
    full.arrive_and_expect(S::kValueBytesLoaded);
    unsigned char* to = shared_.values[values_.stage];
    if constexpr (S::ValueProduct::kTransposed) {
      copy_shared_box(to, p_.values, {block.first, 0, head, tile.batch}, full);
    } else {
      for (int panel = first_panel(); panel < S::kValuePanels; panel += kCluster)
        copy_shared_box(to + panel * S::kKeys * kPanelBytes, p_.values,
                        {panel * kPanelBytes / 2, block.first, head, tile.batch}, full);
    }
    values_.next();
  }

  // In a cluster of n blocks each block loads every n-th panel, for all blocks.
  __device__ static int first_panel() {
    if constexpr (kCluster == 1)
      return 0;
    else
      return static_cast<int>(rank_in_cluster());
  }
  __device__ static void copy_shared_box(void* to, const CUtensorMap& map, BoxStart start, Barrier& full) {
    if constexpr (kCluster == 1)
      copy_box(to, map, start, full, kEvictLast);
    else
      copy_box_to_cluster(to, map, start, full, kEvictLast, (1 << kCluster) - 1);
  }

  static constexpr int kCluster = kClusterOf<S, KeyBlocks>;
  static_assert(S::kKeyPanels % kCluster == 0 && S::kValuePanels % kCluster == 0);
  static_assert(kCluster == 1 || !S::ScoreProduct::kBiased);

  // Columns of a panel of queries and keys.
  static constexpr int kPanelColumns = S::kKeyPanelBytes / S::ScoreProduct::kElementBytes;

  const Parameters<KeyBlocks>& p_;
  SharedMemory<S>& shared_;
  RingPlace<S::kStages> keys_, values_;
  RingPlace<S::kQueryStages> queries_;
};

}  // namespace fastvideo::hopper
