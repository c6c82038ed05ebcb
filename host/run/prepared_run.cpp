#include "host/run/prepared_run.hpp"

#include <algorithm>

#include "host/error/error.hpp"
#include "host/run/libraries.hpp"
#include "host/run/memory_fit.hpp"
#include "host/run/pipeline_choice.hpp"
#include "host/run/text_table.hpp"
#include "host/selection/names.hpp"
#include "host/selection/refusal.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo {
namespace {

bool runs_on_cuda(const CatalogItem* item) {
  const auto& devices = item->item->limits.devices;
  return !devices || std::find(devices->begin(), devices->end(), "cuda") != devices->end();
}

std::vector<std::filesystem::path> library_path(const Settings& settings) {
  std::vector<std::filesystem::path> path;
  for (const std::string& folder : settings.strings("libraries.path")) path.emplace_back(folder);
  return path;
}

// Parameters that the host itself declares.
bool is_of_every_request(std::string_view option) {
  return option == "model_path" || option == "prompt" || option == "seed" || option == "output_path" ||
         option == "prompt_file" || option == "no_metadata" || option == "perf_json" || option == "preset" ||
         option == "pipeline";
}

// Why auto should not take a CUDA device; empty if nothing speaks against it.
std::string against_cuda(const Settings& settings, const std::vector<const CatalogItem*>& pipelines) {
  const auto on_cuda = std::find_if(pipelines.begin(), pipelines.end(), runs_on_cuda);
  if (on_cuda == pipelines.end()) return "the pipeline runs on the CPU only";
  if ((*on_cuda)->item->needs.torch.empty()) return {};
  const std::vector<std::string> missing = missing_libraries("libtorch_cuda.so", library_path(settings));
  if (missing.empty()) return {};
  return "LibTorch is installed without its CUDA libraries (" + missing.front() +
         " is missing; ./dev setup cuda installs them)";
}

}  // namespace

PreparedRun::PreparedRun(const Settings& settings, const Catalog& catalog, const HostServices& host,
                         const CatalogItem* calibrated)
    : settings_(settings),
      folder_(open_model_folder(settings)),
      device_(resolve_device(settings,
                             [&] { return against_cuda(settings, possible_pipelines(settings, catalog, folder_)); })),
      item_(chosen_pipeline(possible_pipelines(settings, catalog, folder_), folder_, device_)),
      cache_request_(fastvideo::cache_request(settings, catalog)),
      cache_item_(chosen_cache_strategy(cache_request_, catalog, device_.facts)),
      loader_(library_path(settings), host.get(), device_.is_cuda()),
      calibration_(calibrated != nullptr ? std::make_unique<OpenCalibration>(loader_, settings, host.get(), *calibrated)
                                         : nullptr),
      backends_(loader_, settings, host.get()),
      selector_(settings, catalog, backends_, device_.facts),
      cache_(open_cache(host)),
      pipeline_(loader_, host.get(), item_, folder_),
      preset_(chosen_preset(settings, *item_.item, folder_)),
      request_(settings, *item_.item, device_, preset_ ? &*preset_ : nullptr),
      estimate_(pipeline_.check(request_.get())) {
  if (estimate_.cache != nullptr && preset_) estimate_.cache->name_preset(preset_->name);
}

std::unique_ptr<CacheStrategyHandle> PreparedRun::open_cache(const HostServices& host) {
  selector_.require_known_names();  // before anything is opened
  if (calibration_ != nullptr && calibration_->item().item->kind == "attention") backends_.use(*calibration_);
  if (cache_item_ == nullptr) return nullptr;
  if (calibration_ != nullptr && cache_item_ == &calibration_->item())
    return std::make_unique<CacheStrategyHandle>(*calibration_);
  return std::make_unique<CacheStrategyHandle>(loader_, settings_, host.get(), *cache_item_);
}

PipelineRequest PreparedRun::request_for(const Settings& settings) const {
  return PipelineRequest(settings, *item_.item, device_, preset_ ? &*preset_ : nullptr);
}

void PreparedRun::require_served() {
  std::vector<std::string> used;
  chosen_.clear();
  choices_.clear();
  // Planned here as in the run: a backend whose plan is refused gives way before anything is loaded.
  const AttentionSession session(selector_, estimate_.site_pointers());
  for (const auto& binding : session.bindings()) {
    choices_.push_back(binding->choice);
    chosen_.push_back(choices_.back().item);
    used.push_back(chosen_.back()->item->name);
  }
  if (cache_ != nullptr) {
    if (estimate_.cache == nullptr)
      throw RequestError("caching with " + cache_->name() + " is not possible: " + item_.item->full_name() +
                         " offers nothing that could be left out; [cache] strategy = \"none\" turns caching off");
    cache_->require_support(estimate_.cache->get());
  }
  require_effect(used);
}

void PreparedRun::require_effect(const std::vector<std::string>& backends) const {
  for (const auto& [path, setting] : settings_.all()) {
    if (setting.source.kind != Source::Kind::command_line) continue;
    const std::string why_not = no_effect(path, backends);
    if (why_not.empty()) continue;
    std::string text = setting.source.describe();
    text.append(" (").append(path).append(") would have no effect: ").append(why_not);
    throw RequestError(text);
  }
}

std::string PreparedRun::no_effect(const std::string& path, const std::vector<std::string>& backends) const {
  const size_t first = path.find('.'), last = path.rfind('.');
  const std::string section = path.substr(0, first), option = path.substr(last + 1);
  if (section == "request") {
    const auto is_it = [&](const OptionSpec& one) { return one.name == option; };
    if (is_of_every_request(option) || std::any_of(item_.item->options.begin(), item_.item->options.end(), is_it))
      return {};
    return "the pipeline " + item_.item->full_name() + " has no such parameter";
  }
  if (constexpr std::string_view roles = "attention.roles."; path.starts_with(roles))
    return no_site_of(path.substr(roles.size()));
  if (first == last) return {};  // a setting of the host
  const std::string item = path.substr(first + 1, last - first - 1);
  const auto is_item = [&](const std::string& name) { return same_name(name, item); };
  if (section == "attention" && std::none_of(backends.begin(), backends.end(), is_item))
    return "no site of this run is served by " + item;
  if (section == "cache" && option != kEnableOption && (cache_ == nullptr || !is_item(cache_->item().item->name)))
    return "the caching strategy is " + (cache_ == nullptr ? "none" : cache_->name());
  return {};
}

// What a backend for the role would have no effect for; empty if the model has such a site.
std::string PreparedRun::no_site_of(const std::string& role) const {
  std::vector<std::string> roles;
  for (const fv_attention_site* site : estimate_.site_pointers())
    if (std::find(roles.begin(), roles.end(), site->role) == roles.end()) roles.emplace_back(site->role);
  if (std::any_of(roles.begin(), roles.end(), [&](const std::string& one) { return same_name(one, role); })) return {};
  std::string text = "this model has no attention of the role " + role + "; its roles are";
  for (const std::string& one : roles) text += (one == roles.front() ? " " : ", ") + one;
  return text;
}

// " (these would fit: --num-frames 33; --height 240 --width 416)", or nothing.
std::string PreparedRun::what_fits(std::uint64_t available) {
  const std::vector<std::string> fitting = smaller_requests(*item_.item, request_.parameters(), [&](const Changes& to) {
    PipelineRequest request = request_for(settings_);
    for (const auto& [name, value] : to) request.set(name, value);
    const auto peak = pipeline_.check(request.get()).peak();
    return peak && peak->bytes <= available;
  });
  std::string text;
  for (const std::string& one : fitting) text += (text.empty() ? " (these would fit: " : "; ") + one;
  return text.empty() ? "" : text + ")";
}

std::string PreparedRun::memory_shortage() {
  const auto peak = estimate_.peak();
  const auto available = available_memory(device_);
  if (!settings_.boolean("run.memory_check") || !peak || !available || peak->bytes <= *available) return {};
  return "the stage '" + peak->name + "' needs about " + readable_bytes(peak->bytes) + ", and " + device_.name +
         " has " + readable_bytes(*available) + " available: ask for a smaller or shorter video" +
         what_fits(*available) + ", or free memory (--set run.memory_check=false tries all the same)";
}

}  // namespace fastvideo
