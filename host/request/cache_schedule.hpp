// Which steps a caching strategy will leave out, where that is known before the first one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/request/checked_request.hpp"

namespace fastvideo::host {

/// What a strategy says before a run.
struct CacheSchedule {
  bool is_known = false;
  std::string why_not;  ///< if it is not known
  int32_t steps = 0;
  std::vector<std::vector<int32_t>> left_out;  ///< [branches], steps from 0 on, in order
};

/// Opens a session of the request's strategy and asks for its schedule, on measures that the pipeline takes beforehand.
/// The request has a strategy. Throws RequestError or std::runtime_error as the run itself would.
CacheSchedule cache_schedule(CheckedRequest& request);

}  // namespace fastvideo::host
