#include "host/cli/run_record.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "host/config/json_value.hpp"
#include "host/hardware/hardware.hpp"
#include "host/media/video_writer.hpp"
#include "host/process/child_process.hpp"

namespace fastvideo::host {
namespace {

using OrderedJson = nlohmann::ordered_json;

// A prompt need not be UTF-8; JSON must be.
std::string text_of(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string cache_name(const CacheStrategyHandle* cache) { return cache != nullptr ? cache->name() : "none"; }

std::string preset_name(const CheckedRequest& request) {
  return request.preset() != nullptr ? request.preset()->name : "none";
}

// "ffmpeg version 7.1 Copyright ..." as "7.1"; empty if it does not say.
std::string ffmpeg_version() {
  const auto program = find_program("ffmpeg");
  if (!program) return {};
  const CommandResult result = run_command(*program, {"-version"}, std::chrono::seconds(30));
  constexpr std::string_view kBegin = "ffmpeg version ";
  if (!result.output.starts_with(kBegin)) return {};
  const std::string rest = result.output.substr(kBegin.size());
  return rest.substr(0, rest.find_first_of(" \n"));
}

OrderedJson versions(const CheckedRequest& request, bool with_ffmpeg) {
  OrderedJson out{{"fastvideo", host_version()},
                  {"abi", std::to_string(FV_ABI_MAJOR) + "." + std::to_string(FV_ABI_MINOR)}};
  const CatalogItem& pipeline = request.model().item();
  if (!pipeline.item->needs.torch.empty()) out["torch"] = pipeline.item->needs.torch;
  if (with_ffmpeg) out["ffmpeg"] = ffmpeg_version();
  OrderedJson& plugins = out["plugins"] = OrderedJson::object();
  const auto add = [&](const CatalogItem& item) { plugins[item.plugin->manifest.id] = item.plugin->manifest.version; };
  add(pipeline);
  for (const AttentionChoice& choice : request.choices()) add(*choice.item);
  if (request.cache() != nullptr) add(request.cache()->item());
  return out;
}

OrderedJson hardware(const RunDevice& device) {
  const CpuInfo cpu = cpu_info();
  OrderedJson out{{"device", device.name},  {"description", device.description},
                  {"why", device.why},      {"cpu", cpu.model},
                  {"threads", cpu.threads}, {"memory_bytes", cpu.total_memory}};
  if (device.is_cuda()) out["driver"] = cuda_driver().version_text();
  return out;
}

OrderedJson settings(const CheckedRequest& request) {
  OrderedJson out = OrderedJson::object();
  const auto add = [&](const std::string& path, const Setting& setting) {
    const OrderedJson value = path == "request.seed" ? OrderedJson(seed_of(setting.value)) : json_of(setting.value);
    out[path] = OrderedJson{{"value", value}, {"source", setting.source.describe()}};
  };
  for (const auto& [path, setting] : request.settings().all()) add(path, setting);
  for (const ItemSetting& parameter : request.request().parameters())
    add("request." + parameter.name, parameter.setting);
  return out;
}

OrderedJson caching(const CheckedRequest& request, const RunResult& made) {
  OrderedJson out{{"strategy", cache_name(request.cache())}};
  if (request.estimate().cache == nullptr) return out;
  const fv_cache_session_info& loop = request.estimate().cache->get();
  const uint64_t passes = static_cast<uint64_t>(loop.steps) * static_cast<uint64_t>(loop.branches);
  out["passes"] = passes;
  out["computed"] = passes - made.passes_reused;
  out["reused"] = made.passes_reused;
  for (const std::vector<int32_t>& branch : made.left_out) {
    OrderedJson steps = OrderedJson::array();
    for (const int32_t step : branch) steps.push_back(step + 1);
    out["left_out"].push_back(std::move(steps));
  }
  return out;
}

OrderedJson stages(const std::vector<StageTime>& times) {
  OrderedJson out = OrderedJson::array();
  for (const StageTime& stage : times)
    out.push_back({{"name", stage.name},
                   {"seconds", stage.seconds},
                   {"steps", stage.steps},
                   {"step_seconds", stage.step_seconds},
                   {"loaded_bytes", stage.bytes}});
  return out;
}

OrderedJson attention(const std::vector<AttentionUse>& uses) {
  OrderedJson out = OrderedJson::array();
  for (const AttentionUse& use : uses) {
    out.push_back({{"role", use.role},
                   {"backend", use.backend},
                   {"kernel", use.kernel},
                   {"file", use.library},
                   {"calls", use.calls}});
    if (!use.slower_than.empty()) out.back()["remark"] = use.slower_than;
  }
  return out;
}

OrderedJson video(const CheckedRequest& request, const MadeVideo& made) {
  return {{"output", made.output},
          {"width", made.result.format.width},
          {"height", made.result.format.height},
          {"frames", made.result.format.frame_count},
          {"fps", static_cast<double>(made.result.format.fps_numerator) / made.result.format.fps_denominator},
          {"prompt", made.result.prompt},
          {"seed", request.request().seed()},
          {"seed_drawn", request.request().seed_was_drawn()},
          {"seconds", made.seconds},
          {"stages", stages(made.result.stages)},
          {"attention", attention(made.result.attention)},
          {"caching", caching(request, made.result)}};
}

bool is_written_by_ffmpeg(const std::string& output) {
  const OutputFormat format = output_format(output);
  return format == OutputFormat::mp4 || format == OutputFormat::webm || format == OutputFormat::gif;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> video_metadata(const CheckedRequest& request) {
  OrderedJson parameters = OrderedJson::object(), attention = OrderedJson::object();
  for (const ItemSetting& parameter : request.request().parameters())
    parameters[parameter.name] = json_of(parameter.setting.value);
  for (const PipelineEstimate::Correction& corrected : request.estimate().corrections)
    parameters[corrected.parameter] = corrected.used;
  for (size_t i = 0; i < request.choices().size(); ++i)
    attention[request.estimate().sites[i].site->get().role] = request.choices()[i].item->item->full_name();
  const OrderedJson comment{{"prompt", request.request().prompt()},
                            {"seed", request.request().seed()},
                            {"model", request.model().folder().name},
                            {"preset", preset_name(request)},
                            {"pipeline", request.model().item().item->full_name()},
                            {"parameters", parameters},
                            {"attention", attention},
                            {"caching", cache_name(request.cache())},
                            {"device", request.model().device().description},
                            {"versions", versions(request, false)}};
  return {{"title", request.request().prompt()}, {"comment", text_of(comment, -1)}};
}

std::string perf_json(const CheckedRequest& request, const std::vector<MadeVideo>& made, const PeakMemory* on_device) {
  const CatalogItem& pipeline = request.model().item();
  OrderedJson estimated = OrderedJson::object(), videos = OrderedJson::array();
  for (const PipelineEstimate::Bytes& peak : request.memory().stages) estimated[peak.name] = peak.bytes;
  for (const MadeVideo& one : made) videos.push_back(video(request, one));
  OrderedJson memory{{"peak_host_bytes", peak_host_memory()}};
  if (on_device != nullptr && on_device->bytes()) {
    memory["peak_device_bytes"] = *on_device->bytes();
    memory["device_bytes_before"] = on_device->before();
  }
  memory["estimated"] = estimated;
  const OrderedJson json{{"schema", 1},
                         {"versions", versions(request, !made.empty() && is_written_by_ffmpeg(made.front().output))},
                         {"hardware", hardware(request.model().device())},
                         {"model",
                          {{"name", request.model().folder().name},
                           {"folder", request.model().folder().path.string()},
                           {"class", request.model().folder().class_name},
                           {"preset", preset_name(request)},
                           {"pipeline", pipeline.item->full_name()},
                           {"file", pipeline.item->library.string()}}},
                         {"settings", settings(request)},
                         {"memory", memory},
                         {"videos", videos}};
  return text_of(json, 2) + "\n";
}

}  // namespace fastvideo::host
