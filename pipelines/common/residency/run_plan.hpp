// What a request would take, as a pipeline tells the host.
#pragma once

#include <fastvideo/pipeline.h>

#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/residency/residency.hpp"

namespace fastvideo {

/// Known from configurations alone.
struct RunPlan {
  std::vector<PlannedSite> sites;
  std::vector<Bytes> components;  ///< weights as the run holds them
  std::vector<Bytes> peaks;       ///< of the stages
  CacheOffer cache;
};

/// Hands all of it to the sink.
void tell(const RunPlan& plan, const fv_pipeline_plan_sink& sink);

}  // namespace fastvideo
