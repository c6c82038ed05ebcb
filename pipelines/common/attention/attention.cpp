#include "pipelines/common/attention/attention.hpp"

#include <ATen/ATen.h>
#include <fastvideo/attention.h>

#include <array>
#include <stdexcept>

namespace fastvideo {
namespace {

[[noreturn]] void refuse_call(const AttentionCall& call, const std::string& what) {
  throw std::logic_error("an attention call at site " + call.site.name + ", layer " + std::to_string(call.layer) +
                         ": " + what);
}

void require_shape(const AttentionCall& call, const char* name, const at::Tensor& x, int64_t length, int64_t heads) {
  const std::array<int64_t, 4> shape = {call.q.size(0), length, heads, call.site.head_size};
  if (x.sizes() == at::IntArrayRef(shape)) return;
  refuse_call(call, std::string(name) + " is " + c10::str(x.sizes()) + " where the site and the queries say " +
                        c10::str(at::IntArrayRef(shape)));
}

void require_masks(const AttentionCall& call) {
  const auto declares = [&](uint32_t mask) { return (call.site.masks & mask) != 0; };
  if (call.mask.defined()) {
    const bool is_bool = call.mask.scalar_type() == at::kBool;
    if (!declares(is_bool ? FV_MASK_BOOLEAN : FV_MASK_BIAS))
      refuse_call(call,
                  std::string("it has a ") + (is_bool ? "boolean mask" : "bias") + ", which the site does not declare");
    const std::array<int64_t, 4> scores = {call.q.size(0), call.q.size(2), call.q.size(1), call.k.size(1)};
    bool fits = call.mask.dim() == 4;
    for (size_t i = 0; fits && i < scores.size(); ++i) {
      const int64_t size = call.mask.size(static_cast<int64_t>(i));
      fits = size == 1 || size == scores[i];
    }
    if (!fits)
      refuse_call(call, "its mask is " + c10::str(call.mask.sizes()) + ", which does not broadcast to " +
                            c10::str(at::IntArrayRef(scores)));
  }
  if (call.key_lengths.defined()) {
    if (!declares(FV_MASK_KEY_LENGTHS)) refuse_call(call, "it has key lengths, which the site does not declare");
    if (call.key_lengths.scalar_type() != at::kInt || call.key_lengths.sizes() != at::IntArrayRef({call.q.size(0)}))
      refuse_call(call, "its key lengths are not int32 [" + std::to_string(call.q.size(0)) + "]");
  }
  // The ABI does not say where the queries begin among the keys if their lengths differ.
  if (declares(FV_MASK_CAUSAL) && call.q.size(1) != call.k.size(1))
    refuse_call(call, "a causal site with " + std::to_string(call.q.size(1)) + " queries and " +
                          std::to_string(call.k.size(1)) + " keys");
}

}  // namespace

void require_declared(const AttentionCall& call) {
  const AttentionSite& site = call.site;
  if (call.layer < 0 || call.layer >= site.layers)
    refuse_call(call, "the site has " + std::to_string(site.layers) + " layers");
  if (call.q.dim() != 4 || call.k.dim() != 4 || call.v.dim() != 4)
    refuse_call(call, "queries, keys and values have four axes: batch, tokens, heads, head size");
  require_shape(call, "q", call.q, call.q.size(1), site.heads);
  require_shape(call, "k", call.k, call.k.size(1), site.kv_heads);
  require_shape(call, "v", call.v, call.k.size(1), site.kv_heads);
  require_masks(call);
  if ((call.log_sum_exp != nullptr) != site.log_sum_exp)
    refuse_call(call, site.log_sum_exp ? "the site declares log-sum-exp and the call takes none"
                                       : "it asks for log-sum-exp, which the site does not declare");
}

}  // namespace fastvideo
