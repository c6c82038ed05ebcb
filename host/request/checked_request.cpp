#include "host/request/checked_request.hpp"

#include <algorithm>

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/hardware/process_limits.hpp"
#include "host/request/memory_fit.hpp"

namespace fastvideo::host {
namespace {

CacheRequest cache_request_to(const LoadedModel& model, const Settings& settings) {
  model.require_same(settings);
  return cache_request(settings, model.catalog());
}

}  // namespace

CheckedRequest::CheckedRequest(LoadedModel& model, Settings settings, const StandIn* stand_in)
    : model_(model),
      settings_(std::move(settings)),
      cache_request_(cache_request_to(model, settings_)),
      selector_(settings_, model.catalog(), model.backends(), model.self_tests(), model.device().facts),
      cache_(open_cache(stand_in)),
      preset_(choose_preset()),
      request_(settings_, *model.item().item, model.device(), preset()),
      estimate_(ask_pipeline()) {
  // Planned before anything is loaded: a backend whose plan is refused gives way here.
  plans_.emplace(selector_, estimate_.site_pointers());
  require_cache();
  // A calibration's stand-in keeps nothing, and is opened once.
  if (cache_ != nullptr && stand_in == nullptr && !estimate_.kept.empty())
    keeps_ = cache_keeps(*cache_, estimate_.cache->get());
  memory_ = memory_ledger(estimate_, *plans_, keeps());
  require_effect();
}

std::unique_ptr<CacheStrategyHandle> CheckedRequest::open_cache(const StandIn* stand_in) {
  const CatalogItem* item = chosen_cache_strategy(cache_request_, model_.catalog(), model_.device().facts);
  selector_.require_known_names();  // before anything is opened
  if (stand_in != nullptr && stand_in->item->item->kind == "attention") model_.backends().use(*stand_in);
  if (item == nullptr) return nullptr;
  if (stand_in != nullptr && item == stand_in->item) return std::make_unique<CacheStrategyHandle>(*stand_in);
  return std::make_unique<CacheStrategyHandle>(model_.loader(), settings_, model_.host().get(), *item);
}

std::optional<Preset> CheckedRequest::choose_preset() {
  model_.checker();  // opened before its data are read: what it refuses of the folder is to be said first
  return chosen_preset(settings_, *model_.item().item, model_.folder());
}

PipelineEstimate CheckedRequest::ask_pipeline() {
  PipelineEstimate made = model_.checker().check(request_.get());
  if (made.cache != nullptr && preset_) made.cache->name_preset(preset_->name);
  return made;
}

void CheckedRequest::require_cache() const {
  if (cache_ == nullptr) return;
  if (estimate_.cache == nullptr)
    throw RequestError("caching with " + cache_->name() + " is not possible: " + model_.item().item->full_name() +
                           " offers nothing that could be left out; [cache] strategy = \"none\" turns caching off",
                       "cache.strategy");
  cache_->require_support(estimate_.cache->get());
}

void CheckedRequest::require_effect() const {
  for (const auto& [path, setting] : settings_.all()) {
    if (setting.source.kind != Source::Kind::command_line) continue;
    const std::string why_not = no_effect(path);
    if (why_not.empty()) continue;
    std::string text = setting.source.describe();
    throw RequestError(text.append(" (").append(path).append(") would have no effect: ").append(why_not), path);
  }
}

std::string CheckedRequest::no_effect(const std::string& path) const {
  const Item& pipeline = *model_.item().item;
  const size_t first = path.find('.'), last = path.rfind('.');
  const std::string section = path.substr(0, first), option = path.substr(last + 1);
  if (section == "request") {
    if (!Schema::host().find(path).empty() || pipeline.option(option) != nullptr) return {};
    return "the pipeline " + pipeline.full_name() + " has no such parameter";
  }
  if (constexpr std::string_view kRoles = "attention.roles."; path.starts_with(kRoles))
    return no_site_of(path.substr(kRoles.size()));
  if (first == last) return {};  // a setting of the host
  const std::string item = path.substr(first + 1, last - first - 1);
  const auto is_item = [&](const std::string& name) { return same_name(name, item); };
  const auto serves = [&](const AttentionChoice& choice) { return is_item(choice.item->item->name); };
  if (section == "attention" && std::ranges::none_of(choices(), serves))
    return "no site of this run is served by " + item;
  if (section == "cache" && option != kEnableOption && (cache_ == nullptr || !is_item(cache_->item().item->name)))
    return "the caching strategy is " + (cache_ == nullptr ? "none" : cache_->name());
  return {};
}

// What a backend for the role would have no effect for; empty if the model has such a site.
std::string CheckedRequest::no_site_of(const std::string& role) const {
  std::vector<std::string> roles;
  for (const fv_attention_site* site : estimate_.site_pointers())
    if (std::find(roles.begin(), roles.end(), site->role) == roles.end()) roles.emplace_back(site->role);
  if (std::ranges::any_of(roles, [&](const std::string& one) { return same_name(one, role); })) return {};
  return "this model has no attention of the role " + role + "; its roles are " + joined(roles);
}

// " (these would fit: --num-frames 33; --height 240 --width 416)", or nothing.
std::string CheckedRequest::what_fits(uint64_t available) {
  const Item& pipeline = *model_.item().item;
  const std::vector<std::string> fitting = smaller_requests(pipeline, request_.parameters(), [&](const Changes& to) {
    PipelineRequest request(settings_, pipeline, model_.device(), preset());
    for (const auto& [name, value] : to) request.set(name, value);
    const auto needed =
        memory_ledger(model_.checker().check(request.get()), *plans_, keeps()).needed(model_.device().is_cuda());
    return needed && *needed <= available;  // attention's at most
  });
  return fitting.empty() ? "" : " (these would fit: " + joined(fitting, "; ") + ")";
}

std::string CheckedRequest::memory_shortage() {
  const bool is_on_cuda = model_.device().is_cuda();
  const auto needed = memory_.needed(is_on_cuda);
  const auto available = available_memory(model_.device());
  if (!settings_.boolean("run.memory_check") || !needed || !available || *needed <= *available) return {};
  return "the stage '" + memory_.peak()->name + "' needs about " + readable_bytes(*needed) +
         (is_on_cuda ? " with what CUDA takes beside it" : "") + ", and " + model_.device().name + " has " +
         readable_bytes(*available) + " available" + (is_on_cuda ? "" : memory_limit_advice()) +
         ": ask for a smaller or shorter video" + what_fits(*available) +
         ", or free memory (--set run.memory_check=false tries all the same)";
}

}  // namespace fastvideo::host
