// The layout of a call's quantised operands in its workspace.
#pragma once

#include <cstddef>

#include "plugins/attention/common/hopper/host_device.hpp"
#include "plugins/attention/sage_attn/sm90/operands.hpp"

namespace fastvideo::sage {

/// Hands out pieces of a workspace, each 256-byte aligned; without one it only counts.
class Workspace {
 public:
  explicit Workspace(void* start) : start_(static_cast<char*>(start)) {}

  template <class T>
  T* take(int64_t count) {
    char* piece = start_ == nullptr ? nullptr : start_ + used_;
    used_ += (static_cast<size_t>(count) * sizeof(T) + 255) / 256 * 256;
    return reinterpret_cast<T*>(piece);
  }
  size_t used() const { return used_; }

 private:
  char* start_;
  size_t used_ = 0;
};

/// Takes the arrays of a call; p.q, k, v, batch and the flags are set. The arrays of keys and values come first, so
/// that their places do not depend on the number of queries.
inline void take_operands(Quantisation& p, int64_t size, Workspace& workspace) {
  p.parts = hopper::ceil_div(p.k.tokens, kStatisticsTokens);
  p.key_blocks = hopper::ceil_div(p.k.tokens, kBlockTokens);
  p.query_groups = hopper::ceil_div(p.q.tokens, 16);
  p.query_blocks = hopper::ceil_div(p.q.tokens, kQueryBlock);
  const int64_t q_heads = static_cast<int64_t>(p.batch) * p.q.heads,
                k_heads = static_cast<int64_t>(p.batch) * p.k.heads, padded = int64_t{p.key_blocks} * kBlockTokens;
  p.k8 = workspace.take<int8_t>(k_heads * p.k.tokens * size);
  p.v8 = workspace.take<uint8_t>(p.quantise_v ? k_heads * size * padded : 0);
  p.k_scales = workspace.take<float>(k_heads * p.key_blocks * 4);
  p.v_scales = workspace.take<float>(k_heads * size);
  p.k_mean = workspace.take<float>(k_heads * size);
  p.v_residual = workspace.take<float>(k_heads * size);
  p.residual_parts = workspace.take<float>(p.quantise_v ? k_heads * p.key_blocks * size : 0);
  p.k_parts = workspace.take<float>(k_heads * p.parts * size);
  p.v_parts = workspace.take<float>(k_heads * p.parts * size);
  p.q8 = workspace.take<int8_t>(q_heads * p.q.tokens * size);
  p.q_scales = workspace.take<float>(q_heads * p.query_groups * 8);
  p.q_mean = workspace.take<float>(p.smooth_q ? q_heads * p.query_blocks * size : 0);
  p.biases = workspace.take<float>(p.smooth_q ? q_heads * p.query_blocks * padded : 0);
}

}  // namespace fastvideo::sage
