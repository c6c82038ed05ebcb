// The needs of a request, as a pipeline reports them to the host.
#pragma once

#include <fastvideo/pipeline.h>

#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/residency/residency.hpp"

namespace fastvideo {

/// The sizes of the tensors that caching may keep of the denoising loop, in bytes of one branch.
struct LoopBytes {
  uint64_t latents = 0;     ///< latent.in, float32
  uint64_t output = 0;      ///< model.out
  uint64_t time_embed = 0;  ///< time.embed and time.proj; 0 if the signals are not offered
  uint64_t time_proj = 0;
  uint64_t video = 0;    ///< the video's stream: every signal of a block, blocks.residual
  uint64_t streams = 0;  ///< all streams that cross a cut of blocks
};

/// The plan of a run, known from configurations alone.
struct RunPlan {
  std::vector<PlannedSite> sites;
  std::vector<Bytes> components;  ///< weights as the run holds them
  std::vector<Bytes> peaks;       ///< of the stages
  CacheOffer cache;
  LoopBytes loop;
};

/// Reports the whole plan to the sink.
void tell(const RunPlan& plan, const fv_pipeline_plan_sink& sink);

}  // namespace fastvideo
