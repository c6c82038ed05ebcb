#include "pipelines/common/residency/run_plan.hpp"

#include <string>

namespace fastvideo {
namespace {

uint64_t bytes_of(const std::string& signal, const LoopBytes& loop) {
  if (signal == "latent.in") return loop.latents;
  if (signal == "model.out") return loop.output;
  if (signal == "time.embed") return loop.time_embed;
  return signal == "time.proj" ? loop.time_proj : loop.video;
}

}  // namespace

void tell(const RunPlan& plan, const fv_pipeline_plan_sink& sink) {
  for (const PlannedSite& planned : plan.sites) {
    const fv_attention_site site = as_abi(planned);
    sink.site(sink.context, &site, planned.runs);
  }
  for (const Bytes& component : plan.components) sink.component(sink.context, component.name, component.bytes);
  for (const Bytes& peak : plan.peaks) sink.peak(sink.context, peak.name, peak.bytes);
  sink.cache(sink.context, CacheSessionInfo(plan.cache).get());
  if (!FV_HAS(&sink, fv_pipeline_plan_sink, kept) || sink.kept == nullptr) return;
  for (const std::string& signal : plan.cache.signals)
    sink.kept(sink.context, "denoise", signal.c_str(), bytes_of(signal, plan.loop));
  sink.kept(sink.context, "denoise", "blocks", plan.loop.streams);
}

}  // namespace fastvideo
