#include "pipelines/common/attention/planned_site.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <fastvideo/torch.hpp>
#include <stdexcept>
#include <string>

namespace fastvideo {

fv_attention_site as_abi(const PlannedSite& planned) {
  const AttentionSite& site = planned.site;
  fv_attention_site s{};
  s.struct_size = sizeof(s);
  s.masks = site.masks;
  s.require = site.log_sum_exp ? uint64_t{FV_REQUIRE_LOG_SUM_EXP} : 0;
  s.role = site.role.c_str();
  s.device = from_device(planned.device);
  s.dtype = to_dtype(planned.dtype);
  s.head_size = static_cast<int32_t>(site.head_size);
  s.query_heads = static_cast<int32_t>(site.heads);
  s.kv_heads = static_cast<int32_t>(site.kv_heads);
  s.total_heads = static_cast<int32_t>(site.total_heads == 0 ? site.heads : site.total_heads);
  s.layers = static_cast<int32_t>(site.layers);
  s.batch = planned.batch;
  s.query_length = planned.query_length;
  s.key_length = planned.key_length;
  s.scale = site.scale;
  std::copy(planned.grid.begin(), planned.grid.end(), std::begin(s.grid));
  s.tokens_before = planned.tokens_before;
  s.tokens_after = planned.tokens_after;
  s.steps = static_cast<int32_t>(planned.steps);
  return s;
}

void require_planned(const AttentionCall& call, const PlannedSite& planned) {
  require_declared(call);
  const auto refuse = [&](const std::string& what, const std::string& plan) {
    throw std::logic_error("an attention call at site " + call.site.name + " with " + what +
                           ", and the run has planned " + plan);
  };
  if (call.site != planned.site) refuse("facts of its own", "the site with others");
  if (call.q.size(0) > planned.batch) refuse(std::to_string(call.q.size(0)) + " rows", std::to_string(planned.batch));
  const bool has_grid = planned.grid[0] != 0;
  if (call.q.size(1) > planned.query_length || (has_grid && call.q.size(1) != planned.query_length))
    refuse(std::to_string(call.q.size(1)) + " queries", std::to_string(planned.query_length));
  if (call.k.size(1) > planned.key_length)
    refuse(std::to_string(call.k.size(1)) + " keys", std::to_string(planned.key_length));
  if (call.q.scalar_type() != planned.dtype)
    refuse(std::string("queries of ") + at::toString(call.q.scalar_type()), at::toString(planned.dtype));
}

}  // namespace fastvideo
