// A consumer: a warpgroup that computes 64 queries of a tile. Two kinds of overlap keep the tensor cores busy
// (FlashAttention-3, sections 3.1 and 3.2): inside a warpgroup, the scores of a block are multiplied together with the
// values of the block before, and softmax of the former runs under the latter; between warpgroups, turns at issuing
// products (ping-pong) bring one's softmax under the other's products. The overlap inside a warpgroup does not stop at
// the end of a tile, which matters where a tile has few key blocks: cross-attention.
#pragma once

#include "plugins/attention/common/hopper/epilogue.cuh"
#include "plugins/attention/common/hopper/jobs.cuh"

namespace fastvideo::hopper {

/// Named barriers: 0 is __syncthreads.
constexpr int kTurnBarrier = 1;       ///< + consumer: its turn to issue products
constexpr int kWarpgroupBarrier = 4;  ///< + consumer: its threads among themselves

template <class S, class KeyBlocks>
class Consumer {
  using Tile = typename KeyBlocks::Scheduler::Tile;
  using Walk = ConsumerWalk<S, KeyBlocks>;
  static constexpr bool kBiased = S::ScoreProduct::kBiased;
  static constexpr int kCluster = kClusterOf<S, KeyBlocks>;
  using First = std::conditional_t<S::kFirst == S::kKeys, S, Narrow<S, S::kFirst>>;  // a tile's first block

 public:
  /// index: number of this warpgroup among the consumers.
  __device__ Consumer(const Parameters<KeyBlocks>& parameters, SharedMemory<S>& shared, int index)
      : p_(parameters), shared_(shared), index_(index), sum_(shared.stored_sums(index)) {
    if (index == S::kConsumers - 1) pass_turn();  // the first consumer begins
  }

  __device__ void run(Walk walk) {
    if (walk.done()) return;
    sum_.restart(output_);
    begin(walk);
    for (;;) {
      const Tile tile = walk.tile();
      if constexpr (S::kLong) {
        walk.next_block();
        step<false, true, First>(walk, tile);
      }
#pragma unroll 1
      while (!walk.last()) {
        walk.next_block();
        step_on<false>(walk, tile);
      }
      walk.next_tile();
      if (walk.done()) {
        end(tile);
        return;
      }
      step_on<true>(walk, tile);
    }
  }

 private:
  // A template argument says whether there are values to multiply, so that each path is free of branches.
  template <bool kFirst>
  __device__ void step_on(const Walk& walk, Tile tile) {
    if constexpr (!S::kSkips) {
      step<kFirst, true>(walk, tile);
    } else {
      if (pending_)
        step<kFirst, true>(walk, tile);
      else
        step<kFirst, false>(walk, tile);
    }
  }

  // The scores of the very first block, with no other product beside them.
  __device__ void begin(const Walk& walk) {
    Scores<First> scores;
    typename S::Softmax::template Result<First> result;
    float factor[2];
    begin_tile(walk);
    const float scale = scale_of_scores(walk);
    await_keys();
    S::ScoreProduct::template multiply<First>(scores, queries(), keys());
    wgmma_commit();
    wgmma_wait<0>();
    hold(scores);
    if constexpr (!kBiased) release_keys(walk);
    softmax_.template next<First>(result, scores, true, existing_keys<true>(walk), scale, biases(), factor);
    if constexpr (kBiased) release_keys(walk);
    clear_missing_values(walk);
    S::ValueProduct::template join<First>(probabilities_of<First>(), result);
  }

  // The scores of a block, beside the values of the block before. kFirst: it is the first of its tile; then the tile
  // before, `tile`, is complete. kValues: the block before was not left out. Before: its shape.
  template <bool kFirst, bool kValues, class Before = S>
  __device__ void step(const Walk& walk, Tile tile) {
    using Block = std::conditional_t<kFirst, First, S>;
    Scores<Block> scores;
    const int existing = existing_keys<kFirst>(walk);  // if read from a list, well before it is needed
    if constexpr (kFirst) begin_tile(walk);
    const float scale = scale_of_scores(walk);
    await_keys_and_values();
    await_turn();
    S::ScoreProduct::template multiply<Block>(scores, queries(), keys());
    wgmma_commit();
    if constexpr (kValues) {
      sum_.multiply(output_, probabilities_of<Before>(), values());
      wgmma_commit();
    }
    pass_turn();

    wgmma_wait<kValues ? 1 : 0>();
    hold(scores);
    if constexpr (!kBiased) release_keys(walk);
    if constexpr (S::kSkips && !kFirst) {
      const bool far = softmax_.template is_far_below<S>(scores, p_.skip_below);
      pending_ = !named_barrier_all(far, kWarpgroupBarrier + index_, kWarpgroup);
      if (!pending_) {
        wgmma_wait<0>();
        hold(output_);
        hold(probabilities_);
        release_values();
        return;
      }
    }
    typename S::Softmax::template Result<Block> result;
    float factor[2];
    const SoftmaxState before = softmax_.state();
    const bool raised = softmax_.template next<Block>(result, scores, kFirst, existing, scale, biases(), factor);
    if constexpr (kBiased) release_keys(walk);

    // Up to here, and with what follows, nothing branches: exponentials, sums and rounding fill each other's gaps.
    wgmma_wait<0>();
    hold(output_);
    hold(probabilities_of<Before>());
    S::ValueProduct::template join<Block>(probabilities_of<Block>(), result);
    release_values();
    if constexpr (kFirst) {
      sum_.finish(output_);
      store_output<S>(p_, tile, index_, before, output_);
      sum_.restart(output_);
      if constexpr (S::kSkips) pending_ = true;
    } else {
      if (raised) sum_.scale(output_, factor);
      sum_.next(output_);
    }
    if constexpr (kFirst || !KeyBlocks::kOnlyFirstIsPartial) clear_missing_values(walk);
  }

  // The values of the very last block.
  __device__ void end(Tile tile) {
    await_values();
    if (!S::kSkips || pending_) {
      sum_.multiply(output_, probabilities_, values());
      wgmma_commit();
      wgmma_wait<0>();
      hold(output_);
    }
    release_values();
    sum_.finish(output_);
    store_output<S>(p_, tile, index_, softmax_.state(), output_);
  }

  __device__ void await_turn() {
    if constexpr (S::kTurns) named_barrier_sync(kTurnBarrier + index_, 2 * kWarpgroup);
  }
  __device__ void pass_turn() {
    if constexpr (S::kTurns)
      named_barrier_arrive(kTurnBarrier + (index_ + 1 == S::kConsumers ? 0 : index_ + 1), 2 * kWarpgroup);
  }

  // The registers of a narrow block are the first of a whole block's.
  template <class Block>
  __device__ Probabilities<Block>& probabilities_of() {
    return reinterpret_cast<Probabilities<Block>&>(probabilities_);
  }

  __device__ unsigned char* queries() const { return shared_.queries[queries_.stage][index_]; }
  __device__ unsigned char* keys() const { return shared_.keys[keys_.stage]; }
  __device__ unsigned char* values() const { return shared_.values[values_.stage]; }

  __device__ void await_keys() { shared_.keys_full[keys_.stage].wait(keys_.parity); }
  __device__ void await_values() { shared_.values_full[values_.stage].wait(values_.parity); }

  // The barriers answer late: both are asked before either answer is needed.
  __device__ void await_keys_and_values() {
    const bool keys_there = shared_.keys_full[keys_.stage].try_wait(keys_.parity);
    const bool values_there = shared_.values_full[values_.stage].try_wait(values_.parity);
    if (!keys_there) await_keys();
    if (!values_there) await_values();
  }

  __device__ void begin_tile(const Walk& walk) {
    shared_.queries_full[queries_.stage][index_].wait(queries_.parity);
    if constexpr (S::ScoreProduct::kScaled) {
      const QueryTile tile = walk.tile();
      const int lane = threadIdx.x % 32, warp = threadIdx.x % kWarpgroup / 32;
      // A tile's last rows may not exist: their scale is that of the last row that exists.
      const int group = min((tile.first_query + index_ * kWarpgroupRows) / 16 + warp, p_.scales.query_groups - 1);
      const int64_t at = static_cast<int64_t>(tile.batch * p_.heads + tile.head) * p_.scales.query_groups + group;
      query_scale_ = __ldg(p_.scales.queries + at * 8 + lane / 4) * p_.scale_log2;
      const unsigned head = tile.batch * (p_.heads / p_.heads_per_key_head) + tile.head / p_.heads_per_key_head;
      key_scales_ = 4 * head * p_.scales.key_blocks + lane % 4;
    }
  }

  // The scales of a block's scores, in powers of two. Loaded well before they are needed, since they come from device
  // memory.
  __device__ float scale_of_scores(const Walk& walk) const {
    if constexpr (S::ScoreProduct::kScaled)
      return query_scale_ * __ldg(p_.scales.keys + key_scales_ + 4 * (walk.block().first / kKeysOfAScale));
    else
      return p_.scale_log2;
  }

  __device__ const float* biases() const { return shared_.biases_of(keys_.stage, index_); }

  template <bool kFirst>
  __device__ static int existing_keys(const Walk& walk) {
    return KeyBlocks::kOnlyFirstIsPartial && !kFirst ? S::kKeys : walk.block().count;
  }

  // Tells all blocks that fill a stage of keys or values that this warpgroup has read it.
  __device__ void release(Barrier& empty) {
    if constexpr (kCluster == 1) {
      if (threadIdx.x % kWarpgroup == 0) empty.arrive();
    } else {
      if (threadIdx.x % kWarpgroup < kCluster) empty.arrive_at(threadIdx.x % kWarpgroup);
    }
  }

  // After the last block of a tile the queries are read, too.
  __device__ void release_keys(const Walk& walk) {
    if constexpr (S::kReleasesOfKeys == 1) {
      release(shared_.keys_empty[keys_.stage]);
    } else {
      shared_.keys_empty[keys_.stage].arrive();
    }
    keys_.next();
    if (!walk.last()) return;
    if (threadIdx.x % kWarpgroup == 0) shared_.queries_empty[queries_.stage][index_].arrive();
    queries_.next();
  }

  __device__ void release_values() {
    release(shared_.values_empty[values_.stage]);
    values_.next();
  }

  // Clears the values of keys that a batch row does not have, in the block whose turn is next: their probability is 0,
  // but they may be NaN. Each warpgroup does so before it reads the values; writing the same zeros twice does no harm.
  __device__ void clear_missing_values(const Walk& walk) {
    if constexpr (!S::ValueProduct::kTransposed) {  // transposed values are padded with zeros
      const KeyBlock block = walk.block();
      if (block.count == S::kKeys || !walk.blocks().clear_behind(block)) return;
      await_values();
      constexpr int kChunks = kPanelBytes / 16;  // of a row; swizzling stays inside a row
      for (int i = threadIdx.x % kWarpgroup; i < (S::kKeys - block.count) * kChunks; i += kWarpgroup)
        for (int panel = 0; panel < S::kValuePanels; ++panel)
          reinterpret_cast<uint4*>(values() + (panel * S::kKeys + block.count) * kPanelBytes)[i] = uint4{0, 0, 0, 0};
      fence_for_async_proxy();
      named_barrier_sync(kWarpgroupBarrier + index_, kWarpgroup);
    }
  }

  const Parameters<KeyBlocks>& p_;
  SharedMemory<S>& shared_;
  int index_;
  RingPlace<S::kStages> keys_, values_;
  RingPlace<S::kQueryStages> queries_;
  float query_scale_ = 0;
  unsigned key_scales_ = 0;  // where those of the thread's columns begin: many times less than the keys themselves

  bool pending_ = true;  // whether the block before has values to multiply: always, unless blocks are left out

  typename S::Softmax softmax_;
  typename S::ValueProduct::template Sum<S> sum_;
  Probabilities<S> probabilities_;
  Output<S> output_;
};

}  // namespace fastvideo::hopper
