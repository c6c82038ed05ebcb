#include "plugins/attention/sage_attn/sm90/launch.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "plugins/attention/sage_attn/sm90/kernels.hpp"
#include "plugins/attention/sage_attn/sm90/workspace.hpp"

namespace fastvideo::sage {
namespace {

constexpr int64_t kBiasBytes = int64_t{1} << 30;  // at most at a time, unless 64 queries have more

const Kernels& kernels_for(const Quantiser& quantiser) {
  for (const Kernels& kernels : quantiser.bfloat16 ? bfloat16_kernels() : float16_kernels())
    if (kernels.head_size == quantiser.head_size && kernels.fp8_values == quantiser.fp8_values &&
        kernels.smooth_q == quantiser.smooth_q)
      return kernels;
  throw std::invalid_argument("SAGE_ATTN has kernels for head sizes 64 and 128, not " +
                              std::to_string(quantiser.head_size));
}

int64_t parts(int64_t of, int64_t size) { return (of + size - 1) / size; }

}  // namespace

int64_t queries_together(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads) {
  if (!quantiser.smooth_q || queries == 0) return std::max<int64_t>(queries, 1);
  const int64_t of_block = std::max<int64_t>(batch * heads * parts(keys, kBlockTokens) * kBlockTokens * 4, 1);
  const int64_t blocks = parts(queries, kQueryBlock), most = std::max<int64_t>(kBiasBytes / of_block, 1);
  return parts(blocks, parts(blocks, most)) * kQueryBlock;  // parts of one size, as nearly as may be
}

size_t workspace_bytes(const Quantiser& quantiser, int64_t batch, int64_t queries, int64_t keys, int64_t heads,
                       int64_t kv_heads, int blocks) {
  Quantisation p{};
  p.q.tokens = static_cast<int>(std::min(queries, queries_together(quantiser, batch, queries, keys, heads)));
  p.q.heads = static_cast<int>(heads);
  p.k.tokens = static_cast<int>(keys);
  p.k.heads = static_cast<int>(kv_heads);
  p.batch = static_cast<int>(batch);
  p.quantise_v = quantiser.fp8_values;
  p.smooth_q = quantiser.smooth_q;
  Workspace workspace(nullptr);
  take_operands(p, quantiser.head_size, workspace);
  workspace.take<char>(static_cast<int64_t>(kernels_for(quantiser).piece_bytes(keys, blocks)));
  return workspace.used();
}

int prepare(const Quantiser& quantiser) { return kernels_for(quantiser).prepare(); }

void launch(const Quantiser& quantiser, const hopper::Call& call, int64_t together, void* workspace, int blocks,
            Part part, CUstream_st* stream) {
  if (call.batch == 0 || call.queries == 0 || call.heads == 0) return;
  kernels_for(quantiser).launch(quantiser, call, together, workspace, blocks, part, stream);
}

}  // namespace fastvideo::sage
