#include "host/cli/generate.hpp"

#include <memory>
#include <optional>

#include "host/cli/numbered_output.hpp"
#include "host/cli/output_guard.hpp"
#include "host/cli/run_record.hpp"
#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/error/printable.hpp"
#include "host/log/log.hpp"
#include "host/media/preview_file.hpp"
#include "host/media/staged_output.hpp"
#include "host/media/video_writer.hpp"
#include "host/request/checked_request.hpp"
#include "host/request/prompts.hpp"
#include "host/run/peak_memory.hpp"
#include "host/run/run.hpp"

namespace fastvideo::host {
namespace {

// Linux takes 128 KiB as one argument of a program, and ffmpeg gets the metadata as arguments.
constexpr size_t kMostMetadata = 100 << 10;

std::vector<std::pair<std::string, std::string>> metadata_of(const CheckedRequest& request) {
  if (request.settings().boolean("request.no_metadata")) return {};
  auto metadata = video_metadata(request);
  for (const auto& [name, text] : metadata)
    if (text.size() > kMostMetadata)
      throw RequestError("prompt and settings have " + std::to_string(text.size()) +
                         " bytes, more than a video file can carry (" + std::to_string(kMostMetadata) +
                         "): shorten the prompt, or leave them out with --no-metadata");
  return metadata;
}

// The file of --perf-json, taken before anything expensive so that it can be written in the end.
std::unique_ptr<StagedFile> perf_file(const Settings& settings) {
  const Setting* setting = settings.find("request.perf_json");
  if (setting == nullptr) return nullptr;
  try {
    return std::make_unique<StagedFile>(resolve_target(setting->value.string()));
  } catch (const std::exception& e) {
    throw RequestError(setting->source.describe() + ": " + e.what());
  }
}

// Where the preview of a video goes, of several beside each other; empty: none is asked for.
std::string preview_of(const Settings& settings, size_t i, size_t count) {
  const Setting* setting = settings.find("request.preview_path");
  return setting != nullptr ? numbered_output(setting->value.string(), i, count) : "";
}

// What is written for one prompt.
struct Outputs {
  std::string video;
  std::string preview;  // empty: none
};

// Whether it can be written is to be known before the video is made.
void check_preview(const Settings& settings, const std::string& preview) {
  if (preview.empty()) {
    const Source& every = settings.find("request.preview_every")->source;
    if (every.kind == Source::Kind::command_line)
      throw RequestError(every.describe() + " would have no effect: no preview is asked for (--preview FILE.png)");
    return;
  }
  const std::string who = settings.find("request.preview_path")->source.describe();
  if (!same_name(std::filesystem::path(preview).extension().string(), ".png"))
    throw RequestError(who + ": " + printable(preview) + ": previews are PNG files, .png");
  try {
    check_file_target(resolve_target(preview));
  } catch (const std::exception& e) {
    throw RequestError(who + ": " + e.what());
  }
}

// No output may be an input, or another output.
void require_apart(const Settings& settings, const Catalog& catalog, const std::vector<Outputs>& outputs) {
  OutputGuard guard(settings, catalog);
  const Source& source = settings.find("request.output_path")->source;
  const std::string what = source.kind == Source::Kind::built_in ? "the output" : source.describe();
  for (const Outputs& output : outputs) {
    guard.writes(what, output.video, "the file of the video");
    if (!output.preview.empty())
      guard.writes(settings.find("request.preview_path")->source.describe(), output.preview, "the file of the preview");
  }
  if (const Setting* perf = settings.find("request.perf_json"))
    guard.writes(perf->source.describe(), perf->value.string());
}

std::string steps_text(const StageTime& stage) {
  if (stage.bytes > 0) return readable_bytes(stage.bytes);
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

std::string summary(const CheckedRequest& request, const MadeVideo& made, const PeakMemory* on_device) {
  const RunResult& result = made.result;
  std::vector<std::vector<std::string>> rows;
  rows.reserve(result.stages.size() + result.attention.size() + 4);
  for (const StageTime& stage : result.stages)
    rows.push_back({stage.name, readable_seconds(stage.seconds), steps_text(stage)});
  rows.push_back({"in all", readable_seconds(made.seconds), ""});
  for (const AttentionUse& use : result.attention)
    rows.push_back({use.role, attention_text(use),
                    std::to_string(use.calls) + " calls" + (use.slower_than.empty() ? "" : "; " + use.slower_than)});
  if (request.cache() != nullptr)
    rows.push_back(
        {"caching", request.cache()->name(),
         std::to_string(result.passes_reused) + " of " + std::to_string(result.passes_decided) + " passes left out"});
  if (on_device != nullptr && on_device->bytes())
    rows.push_back({"peak memory", readable_bytes(*on_device->bytes()),
                    "on " + request.model().device().name + ", of all processes; " +
                        readable_bytes(on_device->before()) + " before the run"});
  rows.push_back({"peak memory", readable_bytes(peak_host_memory()), on_device != nullptr ? "of the host" : ""});
  rows.push_back({"seed", std::to_string(request.request().seed()), request.request().seed_was_drawn() ? "drawn" : ""});
  return printable(made.output) + ": " + video_text(result.format) + "\n" + text_table(rows);
}

// What all videos of a run share.
struct RunContext {
  CheckedRequest& request;
  ProgressStyle style;
  const CancelToken& cancel;
};

// A pipeline calls the rate of its video `fps`. What the format cannot hold is to be known before the video is made.
void require_rate(const CheckedRequest& request, const std::string& output) {
  for (const ItemSetting& one : request.request().parameters())
    if (one.name == "fps" && one.setting.value.type() == FV_VALUE_INT)
      require_frame_rate(output_format(output), static_cast<int>(one.setting.value.integer()), 1);
}

// The video of the prompt that the request asks for.
MadeVideo make_video(const RunContext& in, const Outputs& outputs) {
  CheckedRequest& request = in.request;
  const auto writer = make_video_writer(outputs.video, {metadata_of(request), &in.cancel});
  std::optional<WithPreviewFile> previewed;
  if (!outputs.preview.empty())
    previewed.emplace(*writer, resolve_target(outputs.preview),
                      static_cast<int>(request.settings().integer("request.preview_every")));
  ProgressBar bar(Console::standard_error(), in.style);
  FrameSink& frames = previewed ? static_cast<FrameSink&>(*previewed) : *writer;
  MadeVideo made{outputs.video, run(request, &bar, frames, in.cancel)};
  if (previewed && previewed->count() == 0 && !previewed->has_failed())
    log_warning("run", "no preview was written: " + request.model().item().item->full_name() +
                           " gives none, or the video has fewer steps than --preview-every");
  if (request.cache() != nullptr && made.result.passes_reused == 0)
    log_warning("run", request.cache()->name() + " left out nothing of " + std::to_string(made.result.passes_decided) +
                           " passes: the video is the exact one, and took as long; ask for more steps, or set the "
                           "strategy so that it leaves out more (its threshold, the steps that it always computes)");
  return made;
}

// How many videos are there when a later one fails.
std::string what_is_done(const std::vector<MadeVideo>& videos, size_t count) {
  if (videos.empty()) return "no video was written";
  return std::to_string(videos.size()) + " of " + std::to_string(count) + " videos are done, up to " +
         videos.back().output;
}

std::vector<MadeVideo> make_videos(const RunContext& in, const std::vector<Outputs>& outputs, double began) {
  std::vector<MadeVideo> videos;
  try {
    for (size_t i = 0; i < outputs.size(); ++i) {
      in.cancel.throw_if_requested();
      in.request.select_prompt(i);
      if (outputs.size() > 1)
        log_info("run", printable(outputs[i].video) + ": \"" + shortened(in.request.request().prompt(), 1000) + "\"");
      videos.push_back(make_video(in, outputs[i]));
      videos.back().seconds = steady_seconds() - began;
      began = steady_seconds();
    }
  } catch (const CancelledError& e) {
    throw CancelledError(std::string(e.what()) + ", " + what_is_done(videos, outputs.size()));
  } catch (const std::exception&) {
    if (!videos.empty()) log_error("run", what_is_done(videos, outputs.size()));
    throw;
  }
  return videos;
}

}  // namespace

std::string generate(const Settings& settings, const Catalog& catalog, const HostServices& host, ProgressStyle style,
                     const CancelToken& cancel) {
  const double began = steady_seconds();
  const size_t count = prompts_of(settings).size();
  if (count == 0)
    throw RequestError("no prompt is given: --prompt \"what the video shows\", or --prompt-file FILE for several");
  std::vector<Outputs> outputs;
  for (size_t i = 0; i < count; ++i)
    outputs.push_back(
        {numbered_output(settings.string("request.output_path"), i, count), preview_of(settings, i, count)});
  for (const Outputs& output : outputs) {
    cancel.throw_if_requested();
    check_output(output.video);
    check_preview(settings, output.preview);
  }
  const std::unique_ptr<StagedFile> perf = perf_file(settings);
  require_apart(settings, catalog, outputs);

  LoadedModel model(settings, catalog, host);
  std::unique_ptr<PeakMemory> on_device;  // before anything is done there
  if (model.device().is_cuda()) on_device = std::make_unique<PeakMemory>(model.device());
  CheckedRequest request(model, settings);
  require_rate(request, outputs.front().video);
  if (const std::string shortage = request.memory_shortage(); !shortage.empty()) throw RequestError(shortage);
  for (size_t i = 0; i < count; ++i) {  // whether it can be carried is to be known before the first is made
    cancel.throw_if_requested();
    request.select_prompt(i);
    static_cast<void>(metadata_of(request));
  }
  for (const auto& correction : request.estimate().corrections)
    log_warning("run", correction.parameter + ": " + correction.used + " instead of " + correction.asked + ", " +
                           correction.why);
  log_info("run", "seed " + std::to_string(request.request().seed()) + ", " + model.device().name + " (" +
                      model.device().description + "; " + model.device().why + ")");

  const std::vector<MadeVideo> videos = make_videos({request, style, cancel}, outputs, began);
  if (perf != nullptr) {
    try {
      const std::string text = perf_json(request, videos, on_device.get());
      perf->append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      perf->publish();
    } catch (const std::exception&) {
      log_error("run", what_is_done(videos, outputs.size()));
      throw;
    }
  }
  std::string text;
  for (const MadeVideo& made : videos) text += summary(request, made, on_device.get());
  return text;
}

}  // namespace fastvideo::host
