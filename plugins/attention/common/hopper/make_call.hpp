// From the arguments that cross the ABI to a call of a Hopper kernel.
#pragma once

#include "plugins/attention/common/call.hpp"
#include "plugins/attention/common/hopper/call.hpp"

namespace fastvideo::hopper {

inline ProblemSizes sizes_of(const fv_attention_site& site) {
  return {site.head_size, site.batch, site.query_heads, site.query_length, site.key_length};
}

inline TokenStrides token_strides(const fv_tensor& t) { return {t.strides[0], t.strides[1], t.strides[2]}; }

/// shape: the result of check_call for these arguments. Scratch memory is for pieces, as dense kernels ask for.
inline Call make_call(const fv_attention_site& site, const CallShape& shape, const fv_attention_args& args) {
  Call call{};
  call.batch = shape.batch;
  call.queries = shape.queries;
  call.keys = shape.keys;
  call.heads = shape.heads;
  call.kv_heads = shape.kv_heads;
  call.q = data_of(*args.q);
  call.k = data_of(*args.k);
  call.v = data_of(*args.v);
  call.out = data_of(*args.out);
  call.q_strides = token_strides(*args.q);
  call.k_strides = token_strides(*args.k);
  call.v_strides = token_strides(*args.v);
  call.out_strides = token_strides(*args.out);
  if (args.key_lengths != nullptr) call.key_lengths = static_cast<const int32_t*>(data_of(*args.key_lengths));
  if (args.log_sum_exp != nullptr) {
    call.log_sum_exp = static_cast<float*>(data_of(*args.log_sum_exp));
    call.log_sum_exp_batch = args.log_sum_exp->strides[0];
    call.log_sum_exp_head = args.log_sum_exp->strides[1];
  }
  call.scale = static_cast<float>(site.scale);
  call.pieces = args.scratch;
  return call;
}

}  // namespace fastvideo::hopper
