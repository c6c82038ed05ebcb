#include "host/cli/explain.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"
#include "host/request/cache_schedule.hpp"
#include "host/request/checked_request.hpp"
#include "host/selection/refusal.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo::host {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string scope_name(AttentionRequest::Scope scope) {
  switch (scope) {
    case AttentionRequest::Scope::role:
      return "for this role";
    case AttentionRequest::Scope::global:
      return "for all roles it claims";
    case AttentionRequest::Scope::rest:
      return "for roles that nothing claims";
    case AttentionRequest::Scope::beside:
      return "for the transformer's other roles";
  }
  return "";
}

std::string model_section(CheckedRequest& request) {
  const CatalogItem& item = request.model().item();
  return "model\n" +
         text_table({{"folder", request.model().folder().path.string()},
                     {"class", request.model().folder().class_name},
                     {"pipeline", item.item->full_name() + " of " + item.plugin->manifest.id},
                     {"file", item.item->library.string()},
                     {"device", request.model().device().name + ": " + request.model().device().description},
                     {"", request.model().device().why}});
}

std::string attention_section(const CheckedRequest& request, const AttentionSession& session) {
  std::string text = "attention\n";
  for (size_t i = 0; i < session.bindings().size(); ++i) {
    const AttentionBinding& binding = *session.bindings()[i];
    const AttentionChoice& choice = binding.choice;
    const PipelineEstimate::Site& site = request.estimate().sites[i];
    Rows rows{{"runs", choice.backend->name + (binding.kernel.empty() ? "" : " (" + binding.kernel + ")") + ", " +
                           numerics_name(binding.info.numerics)},
              {"from", choice.item->item->library.string()},
              {"why", choice.request.describe() + ", " + scope_name(choice.request.scope)}};
    if (!choice.picked_from.empty()) rows.push_back({"", choice.picked_from});
    if (!choice.slower_than.empty()) rows.push_back({"", choice.slower_than});
    if (!choice.substituted_for.empty()) rows.push_back({"instead of", choice.substituted_for});
    for (const AttentionRequest::Overridden& other : choice.request.overridden)
      rows.push_back({"overrides", other.name + " of " + other.source.describe() + ", " + scope_name(other.scope)});
    for (const Ruled& other : choice.others) rows.push_back({"not", other.candidate + ": " + other.why_not});
    const bool is_tested = choice.self_test.outcome != SelfTest::Outcome::not_run;
    rows.push_back({"self-test", (is_tested ? "" : "not run: ") + choice.self_test.text});
    rows.push_back({"site", describe_site(site.site->get()) + ", " + std::to_string(binding.layers) + " layers, " +
                                std::to_string(site.runs) + " runs"});
    if (binding.info.resident_bytes + binding.info.scratch_bytes > 0)
      rows.push_back({"memory", readable_bytes(binding.info.resident_bytes) + " resident, " +
                                    readable_bytes(binding.info.scratch_bytes) + " scratch"});
    if (binding.info.token_order != nullptr) rows.push_back({"tokens", "in an order of the backend's own"});
    text += "  " + printable(binding.role) + "\n";
    for (auto& row : rows) row.insert(row.begin(), "");
    text += text_table(rows);
  }
  return text;
}

std::string steps_text(const std::vector<int32_t>& steps, int32_t of) {
  if (steps.empty()) return "none of " + std::to_string(of) + " steps";
  return (steps.size() == 1 ? "step " : "steps ") + step_ranges(steps) + " (" + std::to_string(steps.size()) + " of " +
         std::to_string(of) + ")";
}

std::vector<int32_t> computed_steps(const CacheSchedule& schedule, const std::vector<int32_t>& left_out) {
  std::vector<int32_t> computed;
  for (int32_t step = 0; step < schedule.steps; ++step)
    if (!std::binary_search(left_out.begin(), left_out.end(), step)) computed.push_back(step);
  return computed;
}

// Which steps run, for each branch if they differ.
void add_schedule(const CacheSchedule& schedule, Rows& rows) {
  if (!schedule.is_known) {
    rows.push_back({"steps", schedule.why_not});
    return;
  }
  const auto& all = schedule.left_out;
  const bool are_equal = std::adjacent_find(all.begin(), all.end(), std::not_equal_to<>()) == all.end();
  for (size_t branch = 0; branch < (are_equal ? std::min<size_t>(all.size(), 1) : all.size()); ++branch) {
    const std::string whose = are_equal ? "" : "branch " + std::to_string(branch);
    rows.push_back({"computes", steps_text(computed_steps(schedule, all[branch]), schedule.steps), whose});
    rows.push_back({"leaves out", steps_text(all[branch], schedule.steps), whose});
  }
}

std::string caching_section(CheckedRequest& request) {
  const CacheRequest& asked = request.cache_request();
  Rows rows;
  if (request.cache() == nullptr) {
    rows.push_back({"strategy", "none (" + asked.source.describe() + ")"});
  } else {
    rows.push_back({"strategy", request.cache()->name() + " (" + asked.source.describe() + ")"});
    rows.push_back({"from", request.cache()->item().item->library.string()});
  }
  for (const CacheRequest::Overridden& other : asked.overridden)
    rows.push_back({"overrides", other.name + " of " + other.source.describe()});
  if (request.estimate().cache != nullptr) {
    const fv_cache_session_info& info = request.estimate().cache->get();
    rows.push_back({"loop", std::to_string(info.steps) + " steps of " + std::to_string(info.branches) +
                                (info.branches == 1 ? " branch, " : " branches, ") + std::to_string(info.blocks) +
                                " blocks"});
  }
  if (request.cache() != nullptr) add_schedule(cache_schedule(request), rows);
  return "caching\n" + text_table(rows);
}

// The options of what runs beside the pipeline, with the place of each.
std::string options_section(CheckedRequest& request) {
  std::vector<const CatalogItem*> items;
  for (const AttentionChoice& choice : request.choices())
    if (std::find(items.begin(), items.end(), choice.item) == items.end()) items.push_back(choice.item);
  if (request.cache() != nullptr) items.push_back(&request.cache()->item());
  Rows rows;
  for (const CatalogItem* item : items) {
    std::string whose = item->item->full_name();
    for (const ItemSetting& option : request.settings().of_item(item->item->settings_prefix(), item->item->options)) {
      rows.push_back(
          {std::exchange(whose, ""), option.name, option.setting.value.to_toml(), option.setting.source.describe()});
      for (const Setting::Outranked& other : option.setting.outranked)
        rows.push_back({"", "", "", "overrides " + other.value.to_toml() + " of " + other.source.describe()});
    }
  }
  return rows.empty() ? "" : "options\n" + text_table(rows);
}

std::string request_section(const CheckedRequest& request) {
  const Preset* preset = request.preset();
  Rows rows{{"preset", preset != nullptr ? preset->name : "none", preset != nullptr ? preset->summary : ""},
            {"prompt", request.request().count() == 0 ? "any" : '"' + request.request().prompt() + '"',
             request.request().count() > 1 ? "the first of " + std::to_string(request.request().count()) : ""},
            {"seed", std::to_string(request.request().seed()), request.request().seed_was_drawn() ? "drawn" : ""}};
  for (const ItemSetting& parameter : request.request().parameters()) {
    const auto corrected =
        std::find_if(request.estimate().corrections.begin(), request.estimate().corrections.end(),
                     [&](const PipelineEstimate::Correction& c) { return c.parameter == parameter.name; });
    std::string note = parameter.setting.source.describe();
    if (corrected != request.estimate().corrections.end())
      note += "; " + corrected->used + " is used: " + corrected->why;
    rows.push_back({parameter.name, parameter.setting.value.to_toml(), std::move(note)});
    for (const Setting::Outranked& other : parameter.setting.outranked)
      rows.push_back({"", "", "overrides " + other.value.to_toml() + " of " + other.source.describe()});
  }
  return "request\n" + text_table(rows);
}

std::string memory_section(const CheckedRequest& request) {
  const MemoryLedger& memory = request.memory();
  const auto peak = memory.peak();
  Rows rows;
  for (const PipelineEstimate::Bytes& component : request.estimate().components)
    rows.push_back({"weights of " + component.name, readable_bytes(component.bytes)});
  if (memory.attention_resident + memory.attention_scratch > 0)
    rows.push_back({"attention", readable_bytes(memory.attention_resident + memory.attention_scratch),
                    readable_bytes(memory.attention_resident) + " resident, " +
                        readable_bytes(memory.attention_scratch) + " scratch; part of the peaks"});
  if (memory.cache_slots + memory.cache_signals > 0)
    rows.push_back({"caching", readable_bytes(memory.cache_slots + memory.cache_signals),
                    readable_bytes(memory.cache_slots) + " in slots, " + readable_bytes(memory.cache_signals) +
                        " of signals; part of the peak of " + request.estimate().kept.front().stage});
  for (const PipelineEstimate::Bytes& stage : memory.stages)
    rows.push_back(
        {"peak of " + stage.name, readable_bytes(stage.bytes), peak && stage.name == peak->name ? "the most" : ""});
  if (request.model().device().is_cuda() && peak)
    rows.push_back({"beside the peak", readable_bytes(memory.beside_on_cuda()),
                    "CUDA's context and libraries, and the allocator's reserve, as on an H200"});
  const auto available = available_memory(request.model().device());
  rows.push_back({"available on " + request.model().device().name, available ? readable_bytes(*available) : "unknown"});
  return "memory\n" + text_table(rows);
}

}  // namespace

std::string explain(const Settings& settings, const Catalog& catalog, const HostServices& host) {
  LoadedModel model(settings, catalog, host);
  CheckedRequest request(model, settings);
  std::string text = model_section(request) + attention_section(request, request.plans().planned()) +
                     caching_section(request) + options_section(request) + request_section(request) +
                     memory_section(request);
  if (const std::string shortage = request.memory_shortage(); !shortage.empty())
    text += "refused by generate: " + printable(shortage) + "\n";
  return text;
}

}  // namespace fastvideo::host
