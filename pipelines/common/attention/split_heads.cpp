#include "pipelines/common/attention/split_heads.hpp"

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace fastvideo {

AttentionSite head_part(const AttentionSite& site, int64_t parts) {
  if (parts < 1 || site.heads % parts != 0 || site.kv_heads % parts != 0)
    throw std::invalid_argument("site " + site.name + " has " + std::to_string(site.heads) + " heads and " +
                                std::to_string(site.kv_heads) + " of keys: not " + std::to_string(parts) +
                                " equal parts");
  AttentionSite part = site;
  part.total_heads = site.total_heads == 0 ? site.heads : site.total_heads;
  part.heads /= parts;
  part.kv_heads /= parts;
  return part;
}

at::Tensor SplitHeads::run(const AttentionCall& call) {
  require_declared(call);
  const AttentionSite site = head_part(call.site, parts_);
  std::vector<at::Tensor> results, log_sum_exps;
  for (int64_t part = 0; part < parts_; ++part) {
    const int64_t first = part * site.heads;
    const auto of_keys = [&](const at::Tensor& x) { return x.narrow(2, part * site.kv_heads, site.kv_heads); };
    const bool has_heads = call.mask.defined() && call.mask.size(1) != 1;
    at::Tensor log_sum_exp;
    results.push_back(inner_.run({.site = site,
                                  .layer = call.layer,
                                  .q = call.q.narrow(2, first, site.heads),
                                  .k = of_keys(call.k),
                                  .v = of_keys(call.v),
                                  .mask = has_heads ? call.mask.narrow(1, first, site.heads) : call.mask,
                                  .key_lengths = call.key_lengths,
                                  .log_sum_exp = call.log_sum_exp != nullptr ? &log_sum_exp : nullptr,
                                  .first_head = call.first_head + first}));
    log_sum_exps.push_back(std::move(log_sum_exp));
  }
  if (call.log_sum_exp != nullptr) *call.log_sum_exp = at::cat(log_sum_exps, 1);
  return at::cat(results, 2);
}

}  // namespace fastvideo
