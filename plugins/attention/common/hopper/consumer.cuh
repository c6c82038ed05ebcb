// A consumer: a warpgroup that computes 64 queries of a tile. Two kinds of overlap keep the tensor cores busy
// (FlashAttention-3, sections 3.1 and 3.2): inside a warpgroup, the scores of block i are multiplied together with the
// values of block i - 1, and softmax of the former runs under the latter; between warpgroups, turns at issuing products
// (ping-pong) bring one's softmax under the other's products.
#pragma once

#include "plugins/attention/common/hopper/epilogue.cuh"
#include "plugins/attention/common/hopper/key_blocks.hpp"
#include "plugins/attention/common/hopper/online_softmax.cuh"

namespace fastvideo::hopper {

/// Named barriers: 0 is __syncthreads.
constexpr int kTurnBarrier = 1;       ///< + consumer: its turn to issue products
constexpr int kWarpgroupBarrier = 4;  ///< + consumer: its threads among themselves

template <class S, class KeyBlocks>
class Consumer {
 public:
  /// index: number of this warpgroup among the consumers.
  __device__ Consumer(const Parameters<KeyBlocks>& parameters, SharedMemory<S>& shared, int index)
      : p_(parameters), shared_(shared), index_(index) {
    if (index == S::kConsumers - 1) pass_turn();  // the first consumer begins
  }

  __device__ void compute_tile(QueryTile tile, const KeyBlocks& blocks) {
    const int count = blocks.count(), first_query = tile.first_query + index_ * kWarpgroupRows;
    Output<S> output;
#pragma unroll
    for (float& x : output) x = 0;
    float factor[2], log_sum_exp[2] = {-INFINITY, -INFINITY};
    if (count > 0) {
      Scores<S> scores;
      Probabilities<S> probabilities;
      typename S::Softmax softmax(p_.scale_log2);

      shared_.queries_full[index_].wait(queries_parity_);
      shared_.keys_full[keys_.stage].wait(keys_.parity);
      multiply_queries_keys<S>(scores, shared_.queries[index_], shared_.keys[keys_.stage]);
      wgmma_commit();
      wgmma_wait<0>();
      hold(scores);
      release_keys(count == 1);
      const KeyBlock first = blocks.at(0);
      if (first.count < S::kKeys) {
        mask_keys_from(scores, first.count);
        if (blocks.clear_behind(first)) clear_values(first.count);
      }
      softmax.template start<typename S::Element>(scores);
      round_probabilities<S>(probabilities, scores);

#pragma unroll 1
      for (int i = 1; i < count; ++i) {
        shared_.keys_full[keys_.stage].wait(keys_.parity);
        await_turn();
        multiply_queries_keys<S>(scores, shared_.queries[index_], shared_.keys[keys_.stage]);
        wgmma_commit();
        shared_.values_full[values_.stage].wait(values_.parity);
        multiply_probabilities_values<S>(output, probabilities, shared_.values[values_.stage]);
        wgmma_commit();
        pass_turn();
        wgmma_wait<1>();
        hold(scores);
        release_keys(i == count - 1);
        if constexpr (!KeyBlocks::kOnlyFirstIsPartial) {
          const KeyBlock block = blocks.at(i);
          if (block.count < S::kKeys) mask_keys_from(scores, block.count);
        }
        const bool raised = softmax.template proceed<typename S::Element>(scores, factor);
        wgmma_wait<0>();
        hold(output);
        hold(probabilities);
        release_values();
        if (raised) scale_rows(output, factor);
        round_probabilities<S>(probabilities, scores);
      }

      shared_.values_full[values_.stage].wait(values_.parity);
      multiply_probabilities_values<S>(output, probabilities, shared_.values[values_.stage]);
      wgmma_commit();
      softmax.finish(factor, log_sum_exp);
      wgmma_wait<0>();
      hold(output);
      release_values();
      scale_rows(output, factor);
    }
    store_output<S>(p_, tile, first_query, output, log_sum_exp);
  }

 private:
  __device__ void await_turn() { named_barrier_sync(kTurnBarrier + index_, 2 * kWarpgroup); }
  __device__ void pass_turn() {
    named_barrier_arrive(kTurnBarrier + (index_ + 1 == S::kConsumers ? 0 : index_ + 1), 2 * kWarpgroup);
  }

  // Tells the producers of all blocks of the cluster that this warpgroup has read a stage.
  __device__ void release(Barrier& empty) {
    if constexpr (S::kCluster == 1) {
      if (threadIdx.x % kWarpgroup == 0) empty.arrive();
    } else {
      if (threadIdx.x % kWarpgroup < S::kCluster) empty.arrive_at(threadIdx.x % kWarpgroup);
    }
  }

  // After the last block of a tile the queries are read, too.
  __device__ void release_keys(bool last) {
    release(shared_.keys_empty[keys_.stage]);
    keys_.next();
    if (!last) return;
    if (threadIdx.x % kWarpgroup == 0) shared_.queries_empty[index_].arrive();
    queries_parity_ ^= 1;
  }

  __device__ void release_values() {
    release(shared_.values_empty[values_.stage]);
    values_.next();
  }

  // Clears the values of keys that a batch row does not have: their probability is 0, but they may be NaN. Each
  // warpgroup does so before it reads them; that they write the same zeros twice does no harm.
  __device__ void clear_values(int existing) {
    shared_.values_full[values_.stage].wait(values_.parity);
    constexpr int kChunks = kSwizzleBytes / 16;  // of a row; swizzling stays inside a row
    auto& values = shared_.values[values_.stage];
    for (int i = threadIdx.x % kWarpgroup; i < (S::kKeys - existing) * kChunks; i += kWarpgroup)
      for (int panel = 0; panel < S::kPanels; ++panel)
        reinterpret_cast<uint4*>(values[panel][existing])[i] = uint4{0, 0, 0, 0};
    fence_for_async_proxy();
    named_barrier_sync(kWarpgroupBarrier + index_, kWarpgroup);
  }

  const Parameters<KeyBlocks>& p_;
  SharedMemory<S>& shared_;
  int index_;
  RingPlace<S> keys_, values_;
  uint32_t queries_parity_ = 0;
};

}  // namespace fastvideo::hopper
