#include "plugins/attention/sage_attn/sm90/log_sum_exp.hpp"

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/sage_attn/sm90/rounding.cuh"
#include "plugins/attention/sage_attn/sm90/workspace.hpp"

namespace fastvideo::sage {
namespace {

struct MeanScores {
  TokenView q;
  const float* k_mean;  // [batch, key head, size]
  float* log_sum_exp;
  int64_t batch_stride, head_stride;
  int heads_per_key_head;
  float scale;
};

// Grid: blocks of kWarps queries, heads, batch. A warp takes a query, a lane two neighbouring elements of 64.
template <class Element, int kSize>
__global__ void __launch_bounds__(kThreads) mean_scores_kernel(const __grid_constant__ MeanScores p) {
  const int lane = threadIdx.x % 32, head = blockIdx.y, batch = blockIdx.z;
  const int query = blockIdx.x * kWarps + threadIdx.x / 32;
  if (query >= p.q.tokens) return;
  const Element* q = static_cast<const Element*>(p.q.data) + row_start(p.q, batch, query, head);
  const int key_heads = p.q.heads / p.heads_per_key_head;
  const float* mean = p.k_mean + static_cast<int64_t>(batch * key_heads + head / p.heads_per_key_head) * kSize;
  float sum = 0;
#pragma unroll
  for (int i = 2 * lane; i < kSize; i += 64) {
    const float2 m = *reinterpret_cast<const float2*>(mean + i);
    sum += static_cast<float>(q[i]) * m.x + static_cast<float>(q[i + 1]) * m.y;
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0u, sum, offset);
  if (lane == 0) p.log_sum_exp[batch * p.batch_stride + head * p.head_stride + query] += p.scale * sum;
}

}  // namespace

void add_mean_scores(const Quantiser& quantiser, const hopper::Call& c, void* memory, CUstream_st* stream) {
  if (!quantiser.smooth_k || c.log_sum_exp == nullptr || c.keys == 0 || c.batch == 0 || c.queries == 0) return;
  Quantisation of_call{};  // for where the mean lies; that does not depend on the queries
  of_call.k.tokens = static_cast<int>(c.keys);
  of_call.k.heads = static_cast<int>(c.kv_heads);
  of_call.batch = static_cast<int>(c.batch);
  of_call.quantise_v = quantiser.fp8_values;
  Workspace workspace(memory);
  take_operands(of_call, quantiser.head_size, workspace);

  MeanScores p{};
  p.q = {c.q,
         c.q_strides.batch,
         c.q_strides.token,
         c.q_strides.head,
         static_cast<int>(c.queries),
         static_cast<int>(c.heads)};
  p.k_mean = of_call.k_mean;
  p.log_sum_exp = c.log_sum_exp;
  p.batch_stride = c.log_sum_exp_batch;
  p.head_stride = c.log_sum_exp_head;
  p.heads_per_key_head = static_cast<int>(c.heads / c.kv_heads);
  p.scale = c.scale;
  const dim3 grid(static_cast<unsigned>((c.queries + kWarps - 1) / kWarps), static_cast<unsigned>(c.heads),
                  static_cast<unsigned>(c.batch));
  const auto kernel =
      quantiser.bfloat16
          ? (quantiser.head_size == 128 ? mean_scores_kernel<__nv_bfloat16, 128>
                                        : mean_scores_kernel<__nv_bfloat16, 64>)
          : (quantiser.head_size == 128 ? mean_scores_kernel<__half, 128> : mean_scores_kernel<__half, 64>);
  kernel<<<grid, kThreads, 0, stream>>>(p);
  hopper::check_cuda(cudaGetLastError(), "launching the correction of the log-sum-exp");
}

}  // namespace fastvideo::sage
