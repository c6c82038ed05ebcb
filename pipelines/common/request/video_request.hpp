// The parameters of a video that requests to any family have.
#pragma once

#include <cstdint>
#include <fastvideo/core.hpp>
#include <memory>
#include <optional>
#include <string>

#include "pipelines/common/diffusion/guidance.hpp"
#include "pipelines/common/request/sizes.hpp"
#include "pipelines/common/schedulers/scheduler.hpp"
#include "pipelines/common/text/prompts/prompt_store.hpp"

namespace fastvideo {

/// The parameters of one video, typed and checked.
struct VideoRequest {
  std::string prompt;
  std::string negative_prompt;
  VideoSize size;
  int64_t num_inference_steps;
  double guidance_scale;
  std::optional<double> flow_shift;  ///< absent: as in the scheduler's configuration
  int64_t fps;
  uint64_t seed;

  Guidance guidance() const { return {guidance_scale}; }
  bool guided() const { return guidance().is_on(); }
  int64_t branches() const { return guidance().branches(); }
};

/// Reads the parameters of these names; flow_shift and prompt may be absent. Throws Refused, as parse_size, and
/// std::logic_error for a parameter that the family's manifest does not declare.
VideoRequest parse_video_request(const Options& parameters, const LatentGeometry& geometry);

/// The schedule of a request: a configuration with the request's shift and number of steps. Throws Refused, as
/// make_scheduler and Scheduler::set_timesteps.
std::unique_ptr<Scheduler> scheduler_for(const VideoRequest& request, SchedulerConfig config);

/// The texts of a request, and of the requests that the host says will follow (later_prompts). Throws Refused for a
/// prompt that cleaning leaves empty.
Texts parse_texts(const Options& parameters, const VideoRequest& request);

}  // namespace fastvideo
