#include "host/run/explain.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "host/error/printable.hpp"
#include "host/run/cache_schedule.hpp"
#include "host/run/prepared_run.hpp"
#include "host/run/text_table.hpp"
#include "host/selection/refusal.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo {
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

std::string model_section(PreparedRun& run) {
  const CatalogItem& item = run.pipeline().item();
  return "model\n" + text_table({{"folder", run.folder().path.string()},
                                 {"class", run.folder().class_name},
                                 {"pipeline", item.item->full_name() + " of " + item.plugin->manifest.id},
                                 {"file", item.item->library.string()},
                                 {"device", run.device().name + ": " + run.device().description},
                                 {"", run.device().why}});
}

std::string attention_section(const PreparedRun& run, const AttentionSession& session) {
  std::string text = "attention\n";
  for (size_t i = 0; i < session.bindings().size(); ++i) {
    const AttentionBinding& binding = *session.bindings()[i];
    const AttentionChoice& choice = binding.choice;
    const PipelineEstimate::Site& site = run.estimate().sites[i];
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

std::string steps_text(const std::vector<std::int32_t>& steps, std::int32_t of) {
  if (steps.empty()) return "none of " + std::to_string(of) + " steps";
  return (steps.size() == 1 ? "step " : "steps ") + step_ranges(steps) + " (" + std::to_string(steps.size()) + " of " +
         std::to_string(of) + ")";
}

std::vector<std::int32_t> computed_steps(const CacheSchedule& schedule, const std::vector<std::int32_t>& left_out) {
  std::vector<std::int32_t> computed;
  for (std::int32_t step = 0; step < schedule.steps; ++step)
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
  for (std::size_t branch = 0; branch < (are_equal ? std::min<std::size_t>(all.size(), 1) : all.size()); ++branch) {
    const std::string whose = are_equal ? "" : "branch " + std::to_string(branch);
    rows.push_back({"computes", steps_text(computed_steps(schedule, all[branch]), schedule.steps), whose});
    rows.push_back({"leaves out", steps_text(all[branch], schedule.steps), whose});
  }
}

std::string caching_section(PreparedRun& run) {
  const CacheRequest& request = run.cache_request();
  Rows rows;
  if (run.cache() == nullptr) {
    rows.push_back({"strategy", "none (" + request.source.describe() + ")"});
  } else {
    rows.push_back({"strategy", run.cache()->name() + " (" + request.source.describe() + ")"});
    rows.push_back({"from", run.cache()->item().item->library.string()});
  }
  for (const CacheRequest::Overridden& other : request.overridden)
    rows.push_back({"overrides", other.name + " of " + other.source.describe()});
  if (run.estimate().cache != nullptr) {
    const fv_cache_session_info& info = run.estimate().cache->get();
    rows.push_back({"loop", std::to_string(info.steps) + " steps of " + std::to_string(info.branches) +
                                (info.branches == 1 ? " branch, " : " branches, ") + std::to_string(info.blocks) +
                                " blocks"});
  }
  if (run.cache() != nullptr) add_schedule(cache_schedule(run), rows);
  return "caching\n" + text_table(rows);
}

// The options of what runs beside the pipeline, with the place of each.
std::string options_section(PreparedRun& run) {
  std::vector<const CatalogItem*> items;
  for (const CatalogItem* backend : run.backends())
    if (std::find(items.begin(), items.end(), backend) == items.end()) items.push_back(backend);
  if (run.cache() != nullptr) items.push_back(&run.cache()->item());
  Rows rows;
  for (const CatalogItem* item : items) {
    std::string whose = item->item->full_name();
    for (const ItemSetting& option : run.settings().of_item(item->item->settings_prefix(), item->item->options)) {
      rows.push_back(
          {std::exchange(whose, ""), option.name, option.setting.value.to_toml(), option.setting.source.describe()});
      for (const Setting::Outranked& other : option.setting.outranked)
        rows.push_back({"", "", "", "overrides " + other.value.to_toml() + " of " + other.source.describe()});
    }
  }
  return rows.empty() ? "" : "options\n" + text_table(rows);
}

std::string request_section(const PreparedRun& run) {
  const Preset* preset = run.preset();
  Rows rows{{"preset", preset != nullptr ? preset->name : "none", preset != nullptr ? preset->summary : ""},
            {"prompt", '"' + run.request().prompt() + '"',
             run.request().count() > 1 ? "the first of " + std::to_string(run.request().count()) : ""},
            {"seed", std::to_string(run.request().seed()), run.request().seed_was_drawn() ? "drawn" : ""}};
  for (const ItemSetting& parameter : run.request().parameters()) {
    const auto corrected =
        std::find_if(run.estimate().corrections.begin(), run.estimate().corrections.end(),
                     [&](const PipelineEstimate::Correction& c) { return c.parameter == parameter.name; });
    std::string note = parameter.setting.source.describe();
    if (corrected != run.estimate().corrections.end()) note += "; " + corrected->used + " is used: " + corrected->why;
    rows.push_back({parameter.name, parameter.setting.value.to_toml(), std::move(note)});
    for (const Setting::Outranked& other : parameter.setting.outranked)
      rows.push_back({"", "", "overrides " + other.value.to_toml() + " of " + other.source.describe()});
  }
  return "request\n" + text_table(rows);
}

std::string memory_section(const PreparedRun& run) {
  const auto peak = run.estimate().peak();
  Rows rows;
  for (const PipelineEstimate::Bytes& component : run.estimate().components)
    rows.push_back({"weights of " + component.name, readable_bytes(component.bytes)});
  for (const PipelineEstimate::Bytes& stage : run.estimate().peaks)
    rows.push_back(
        {"peak of " + stage.name, readable_bytes(stage.bytes), peak && stage.name == peak->name ? "the most" : ""});
  const auto available = available_memory(run.device());
  rows.push_back({"available on " + run.device().name, available ? readable_bytes(*available) : "unknown"});
  return "memory\n" + text_table(rows);
}

}  // namespace

std::string explain(const Settings& settings, const Catalog& catalog, const HostServices& host) {
  PreparedRun run(settings, catalog, host);
  run.require_served();
  const AttentionSession session(run.selector(), run.estimate().site_pointers());
  std::string text = model_section(run) + attention_section(run, session) + caching_section(run) +
                     options_section(run) + request_section(run) + memory_section(run);
  if (const std::string shortage = run.memory_shortage(); !shortage.empty())
    text += "refused by generate: " + printable(shortage) + "\n";
  return text;
}

}  // namespace fastvideo
