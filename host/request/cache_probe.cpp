#include "host/request/cache_probe.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "host/selection/border.hpp"

namespace fastvideo::host {

CacheProbe::CacheProbe(CacheService& cache, const fv_cache_session_info& info) : service_(*cache.service()) {
  plan_.struct_size = sizeof plan_;
  TextBuffer text;
  require_ok(service_.open(service_.context, &info, &session_, &plan_, text.get()), text, service_.strategy);
}

CacheProbe::~CacheProbe() { service_.close(service_.context, session_); }

std::vector<std::string> CacheProbe::signals() const {
  std::vector<std::string> names;
  for (const fv_cache_measure& measure : measures())
    if (std::find(names.begin(), names.end(), measure.signal) == names.end()) names.emplace_back(measure.signal);
  return names;
}

void CacheProbe::schedule(const std::vector<double>& measurements, size_t decisions) {
  const size_t width = plan_.slot_count + size_t{1};
  std::vector<double> coefficients(decisions * width);
  std::vector<fv_cache_decision> answers(decisions);
  std::vector<fv_cache_decision*> pointers;
  for (size_t i = 0; i < decisions; ++i) {
    answers[i] = {sizeof(fv_cache_decision), FV_CACHE_COMPUTE, &coefficients[i * width]};
    pointers.push_back(&answers[i]);
  }
  TextBuffer text;
  require_ok(service_.schedule(service_.context, session_, measurements.data(), pointers.data(), text.get()), text,
             service_.strategy);
}

CacheKeeps cache_keeps(CacheStrategyHandle& strategy, const fv_cache_session_info& info) {
  CacheService service(strategy);
  const CacheProbe probe(service, info);
  const auto branches = static_cast<uint64_t>(info.branches);
  const bool of_one_branch = probe.cut().kind == FV_CUT_BRANCH;
  CacheKeeps keeps;
  keeps.cut = probe.cut().kind == FV_CUT_BLOCKS ? "blocks" : "model.out";
  // Slots that differ only in how far they look back are one history.
  std::map<std::pair<uint32_t, int32_t>, uint64_t> histories;
  bool of_two_branches = false;
  for (const fv_cache_slot& slot : probe.slots()) {
    const bool is_difference = slot.keep == FV_KEEP_BRANCH_DIFFERENCE;
    uint64_t& depth = histories[{slot.keep, is_difference ? slot.other_branch : 0}];
    depth = std::max(depth, static_cast<uint64_t>(slot.back) + 1);
    of_two_branches = of_two_branches || is_difference;
  }
  for (const auto& [history, depth] : histories) keeps.slots += depth * (of_one_branch ? 1 : branches);
  // A new one is made before the oldest goes; differences need every branch's output of the step.
  if (!histories.empty()) keeps.slots += static_cast<uint64_t>(info.branches_at_once);
  if (of_two_branches) keeps.slots += branches;
  if (!probe.is_static()) keeps.signals = probe.signals();
  keeps.branches = branches;
  return keeps;
}

}  // namespace fastvideo::host
