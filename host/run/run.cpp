#include "host/run/run.hpp"

#include <optional>

#include "host/run/video_sink.hpp"
#include "host/services/run_services.hpp"

namespace fastvideo::host {
namespace {

// `video`: what the outputs go into, where the host takes them.
RunResult run_into(CheckedRequest& request, RunObserver* observer, const fv_pipeline_sink& outputs,
                   const CancelToken& cancel, VideoSink* video) {
  const double began = steady_seconds();
  LoadedModel& model = request.model();
  RunProgress progress(observer);
  AttentionService attention(request.plans());
  std::optional<CacheService> cache;
  if (request.cache() != nullptr)
    cache.emplace(*request.cache(), request.preset() != nullptr ? request.preset()->name : "");
  const RunServices services(model.host(), progress, cancel, attention, cache ? &*cache : nullptr);
  try {
    model.pipeline().run(services.get(), request.request().get(), outputs, cancel);
    if (video != nullptr) video->finish();
  } catch (const std::exception&) {
    const std::string position = progress.position();
    progress.stop();
    if (cancel.requested()) throw CancelledError("cancelled" + (position.empty() ? "" : " at " + position));
    if (video != nullptr && video->failure()) std::rethrow_exception(video->failure());
    throw;
  }
  progress.finish();
  RunResult result;
  result.prompt = request.request().prompt();
  result.stages = progress.times();
  result.seconds = steady_seconds() - began;
  result.attention = attention.used();
  if (cache) {
    result.passes_decided = cache->decided();
    result.passes_reused = cache->reused();
    result.left_out = cache->left_out();
  }
  return result;
}

}  // namespace

RunResult run(CheckedRequest& request, RunObserver* observer, FrameSink& frames, const CancelToken& cancel) {
  VideoSink sink(frames);
  RunResult result = run_into(request, observer, sink.get(), cancel, &sink);
  result.format = sink.format();
  return result;
}

RunResult run(CheckedRequest& request, RunObserver* observer, const fv_pipeline_sink& outputs,
              const CancelToken& cancel) {
  return run_into(request, observer, outputs, cancel, nullptr);
}

}  // namespace fastvideo::host
