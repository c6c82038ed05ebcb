// Running a checked request: an observer and a frame sink in, a result out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/progress/run_progress.hpp"
#include "host/request/checked_request.hpp"
#include "host/run/frame_sink.hpp"

namespace fastvideo::host {

/// What a run made, and what it took.
struct RunResult {
  std::string prompt;
  VideoFormat format;
  std::vector<StageTime> stages;
  double seconds = 0;
  std::vector<AttentionUse> attention;
  uint64_t passes_decided = 0;  ///< by the caching strategy; 0 without one
  uint64_t passes_reused = 0;
  std::vector<std::vector<int32_t>> left_out;  ///< [branches]: steps from 0 on; empty without a strategy
};

/// Makes the video of the request, of several prompts the selected one. `observer` may be null. Returns when all frames
/// are in the sink and it has finished. Throws RequestError (impossible), CancelledError "cancelled at
/// denoise 12/30", what the sink throws, or std::runtime_error. [one thread: the loader's]
RunResult run(CheckedRequest& request, RunObserver* observer, FrameSink& frames, const CancelToken& cancel);

/// The same for whoever takes the outputs of the pipeline himself, latents among them: the result has no format.
RunResult run(CheckedRequest& request, RunObserver* observer, const fv_pipeline_sink& outputs,
              const CancelToken& cancel);

}  // namespace fastvideo::host
