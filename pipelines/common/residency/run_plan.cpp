#include "pipelines/common/residency/run_plan.hpp"

namespace fastvideo {

void tell(const RunPlan& plan, const fv_pipeline_plan_sink& sink) {
  for (const PlannedSite& planned : plan.sites) {
    const fv_attention_site site = as_abi(planned);
    sink.site(sink.context, &site, planned.runs);
  }
  for (const Bytes& component : plan.components) sink.component(sink.context, component.name, component.bytes);
  for (const Bytes& peak : plan.peaks) sink.peak(sink.context, peak.name, peak.bytes);
  sink.cache(sink.context, CacheSessionInfo(plan.cache).get());
}

}  // namespace fastvideo
