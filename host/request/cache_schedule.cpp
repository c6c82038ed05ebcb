#include "host/request/cache_schedule.hpp"

#include "host/error/error.hpp"
#include "host/request/cache_probe.hpp"

namespace fastvideo::host {

CacheSchedule cache_schedule(CheckedRequest& request) {
  const fv_cache_session_info& info = request.estimate().cache->get();
  CacheService service(*request.cache());
  CacheProbe session(service, info);
  CacheSchedule schedule;
  schedule.steps = info.steps;
  if (!session.is_static()) {
    schedule.why_not = "decided step by step, by " + joined(session.signals());
    return schedule;
  }
  std::vector<double> measurements;
  if (!session.measures().empty()) {
    const auto measured =
        request.model().checker().measure_early(request.request().get(), info.steps, session.measures());
    if (!measured) {
      schedule.why_not =
          "known when the loop begins: the pipeline measures " + joined(session.signals()) + " in a run only";
      return schedule;
    }
    measurements = *measured;
  }
  session.schedule(measurements, static_cast<size_t>(info.steps) * static_cast<size_t>(info.branches));
  schedule.is_known = true;
  schedule.left_out = service.left_out();
  return schedule;
}

}  // namespace fastvideo::host
