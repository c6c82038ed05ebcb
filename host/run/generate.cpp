#include "host/run/generate.hpp"

#include <sys/resource.h>

#include "host/error/error.hpp"
#include "host/log/log.hpp"
#include "host/media/video_writer.hpp"
#include "host/run/prepared_run.hpp"
#include "host/run/text_table.hpp"
#include "host/run/video_sink.hpp"
#include "host/services/run_services.hpp"

namespace fastvideo {
namespace {

std::uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

// What the file says of itself, so that a video can be made again.
std::vector<std::pair<std::string, std::string>> metadata_of(const PreparedRun& run) {
  std::string how = "fastvideo " + std::string(host_version()) + ", model " + run.folder().path.filename().string() +
                    ", seed " + std::to_string(run.request().seed());
  for (const ItemSetting& parameter : run.request().parameters())
    how += ", " + parameter.name + " " + parameter.setting.value.to_toml();
  return {{"title", run.request().prompt()}, {"comment", std::move(how)}};
}

std::string steps_text(const StageTime& stage) {
  if (stage.steps == 0) return "";
  return std::to_string(stage.steps) + " steps, " + readable_seconds(stage.seconds / static_cast<double>(stage.steps)) +
         " each";
}

std::string attention_text(const AttentionUse& use) {
  return use.backend + (use.kernel.empty() ? "" : " (" + use.kernel + ")");
}

std::string video_text(const VideoFormat& video) {
  const double fps = static_cast<double>(video.fps_numerator) / video.fps_denominator;
  return std::to_string(video.frame_count) + " frames of " + std::to_string(video.width) + "x" +
         std::to_string(video.height) + ", " + readable_seconds(static_cast<double>(video.frame_count) / fps);
}

std::string summary(const std::string& output, const VideoFormat& video, const PreparedRun& run,
                    const std::vector<StageTime>& times, double seconds, const std::vector<AttentionUse>& attention,
                    const CacheService* cache, const std::string& strategy) {
  std::vector<std::vector<std::string>> rows;
  rows.reserve(times.size() + attention.size() + 4);
  for (const StageTime& stage : times) rows.push_back({stage.name, readable_seconds(stage.seconds), steps_text(stage)});
  rows.push_back({"in all", readable_seconds(seconds), ""});
  for (const AttentionUse& use : attention)
    rows.push_back({use.role, attention_text(use), std::to_string(use.calls) + " calls"});
  if (cache != nullptr)
    rows.push_back({"caching", strategy,
                    std::to_string(cache->reused()) + " of " + std::to_string(cache->decided()) + " passes left out"});
  rows.push_back({"peak memory", readable_bytes(peak_memory()), run.device().is_cuda() ? "of the host" : ""});
  rows.push_back({"seed", std::to_string(run.request().seed()), run.request().seed_was_drawn() ? "drawn" : ""});
  return output + ": " + video_text(video) + "\n" + text_table(rows);
}

}  // namespace

std::string generate(const Settings& settings, const Catalog& catalog, const HostServices& host, ProgressStyle style,
                     const CancelToken& cancel) {
  const double began = steady_seconds();
  if (settings.find("request.prompt") == nullptr)
    throw RequestError("no prompt is given: --prompt \"what the video shows\"");
  const std::string& output = settings.string("request.output_path");
  check_output(output);

  PreparedRun run(settings, catalog, host);
  run.require_served();
  if (const std::string shortage = run.memory_shortage(); !shortage.empty()) throw RequestError(shortage);
  for (const auto& correction : run.estimate().corrections)
    log_warning("run", correction.parameter + ": " + correction.used + " instead of " + correction.asked + ", " +
                           correction.why);
  log_info("run", "seed " + std::to_string(run.request().seed()) + ", " + run.device().name + " (" +
                      run.device().description + "; " + run.device().why + ")");
  cancel.throw_if_requested();

  const auto writer = make_video_writer(output, {metadata_of(run), &cancel});
  VideoSink sink(*writer);
  Progress progress(Console::standard_error(), style);
  AttentionService attention(run.selector());
  std::optional<CacheService> cache;
  if (run.cache() != nullptr) cache.emplace(*run.cache());
  const RunServices services(host, progress, cancel, attention, cache ? &*cache : nullptr);
  try {
    run.pipeline().run(services.get(), run.request().get(), sink.get());
  } catch (const std::exception&) {
    progress.stop();
    if (cancel.requested()) throw CancelledError("cancelled");
    if (sink.failure()) std::rethrow_exception(sink.failure());
    throw;
  }
  sink.finish();
  progress.finish();
  return summary(output, sink.format(), run, progress.times(), steady_seconds() - began, attention.used(),
                 cache ? &*cache : nullptr, run.cache() != nullptr ? run.cache()->name() : "");
}

}  // namespace fastvideo
