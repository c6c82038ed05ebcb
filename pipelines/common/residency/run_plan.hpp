// What a request would take, as a pipeline tells the host.
#pragma once

#include <fastvideo/pipeline.h>

#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/residency/residency.hpp"

namespace fastvideo {

/// What caching may keep of the denoising loop, in bytes of one branch.
struct LoopBytes {
  uint64_t latents = 0;     ///< latent.in, float32
  uint64_t output = 0;      ///< model.out
  uint64_t time_embed = 0;  ///< time.embed and time.proj; 0 for a signal that is not offered
  uint64_t time_proj = 0;
  uint64_t video = 0;    ///< the video's stream: every signal of a block, blocks.residual
  uint64_t streams = 0;  ///< all streams that cross a cut of blocks
};

/// Known from configurations alone.
struct RunPlan {
  std::vector<PlannedSite> sites;
  std::vector<Bytes> components;  ///< weights as the run holds them
  std::vector<Bytes> peaks;       ///< of the stages
  CacheOffer cache;
  LoopBytes loop;
};

/// Hands all of it to the sink.
void tell(const RunPlan& plan, const fv_pipeline_plan_sink& sink);

}  // namespace fastvideo
