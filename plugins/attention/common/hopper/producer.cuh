// The producer: one thread that keeps the copy engine busy. Queries come once a tile, keys and values go through rings
// of two stages, values one block behind keys, in the order in which the consumers need them (FlashAttention-3,
// section 3.1).
#pragma once

#include "plugins/attention/common/hopper/parameters.cuh"
#include "plugins/attention/common/hopper/shape.cuh"
#include "plugins/attention/common/hopper/tensor_copy.cuh"

namespace fastvideo::hopper {

template <class S, class KeyBlocks>
class Producer {
 public:
  __device__ Producer(const Parameters<KeyBlocks>& parameters, SharedMemory<S>& shared)
      : p_(parameters), shared_(shared), rank_(S::kCluster == 1 ? 0 : block_of_cluster()) {
    prefetch_tensor_map(p_.queries);
    prefetch_tensor_map(p_.keys);
    prefetch_tensor_map(p_.values);
  }

  /// Brings everything that the consumers need for one tile.
  __device__ void load_tile(QueryTile tile, const KeyBlocks& blocks) {
    const int count = blocks.count();
    if (count == 0) return;
    load_keys(tile, blocks.at(0));
    load_queries(tile);
    for (int i = 1; i < count; ++i) {
      load_keys(tile, blocks.at(i));
      load_values(tile, blocks.at(i - 1));
    }
    load_values(tile, blocks.at(count - 1));
  }

 private:
  __device__ void load_queries(QueryTile tile) {
    for (int w = 0; w < S::kConsumers; ++w) {
      shared_.queries_empty[w].wait(queries_parity_ ^ 1);
      shared_.queries_full[w].arrive_and_expect(S::kQueryBytes);
      for (int panel = 0; panel < S::kPanels; ++panel)
        copy_box(shared_.queries[w][panel], p_.queries,
                 {panel * kPanel, tile.first_query + w * kWarpgroupRows, tile.head, tile.batch},
                 shared_.queries_full[w], kEvictFirst);
    }
    queries_parity_ ^= 1;
  }

  __device__ void load_keys(QueryTile tile, KeyBlock block) {
    load(p_.keys, shared_.keys[keys_.stage], shared_.keys_full[keys_.stage], shared_.keys_empty[keys_.stage],
         keys_.parity, tile, block);
    keys_.next();
  }

  __device__ void load_values(QueryTile tile, KeyBlock block) {
    load(p_.values, shared_.values[values_.stage], shared_.values_full[values_.stage],
         shared_.values_empty[values_.stage], values_.parity, tile, block);
    values_.next();
  }

  // Each block of a cluster loads its share of the rows into all of them, and receives the whole.
  __device__ void load(const CUtensorMap& map, typename S::Element (&to)[S::kPanels][S::kKeys][kPanel], Barrier& full,
                       Barrier& empty, uint32_t parity, QueryTile tile, KeyBlock block) {
    empty.wait(parity ^ 1);
    full.arrive_and_expect(S::kKeyBytes);
    const int share = rank_ * S::kKeysLoaded, key_head = tile.head / p_.heads_per_key_head;
    for (int panel = 0; panel < S::kPanels; ++panel) {
      const BoxStart start{panel * kPanel, block.first + share, key_head, tile.batch};
      if constexpr (S::kCluster == 1)
        copy_box(to[panel], map, start, full, kEvictLast);
      else
        copy_box_to_cluster(to[panel][share], map, start, full, (1 << S::kCluster) - 1, kEvictLast);
    }
  }

  const Parameters<KeyBlocks>& p_;
  SharedMemory<S>& shared_;
  int rank_;
  RingPlace<S> keys_, values_;
  uint32_t queries_parity_ = 0;
};

}  // namespace fastvideo::hopper
