#include "host/runtime/explanation.hpp"

#include <algorithm>
#include <string>

#include "host/services/attention_session.hpp"

namespace fastvideo::host {
namespace {

// Scopes and outcomes are counted as runtime.h counts them.
using TestOutcome = SelfTest::Outcome;
using ForWhich = AttentionRequest::Scope;
static_assert(ForWhich::role == ForWhich{FVR_FOR_ROLE} && ForWhich::global == ForWhich{FVR_FOR_CLAIMED} &&
              ForWhich::rest == ForWhich{FVR_FOR_REST} && ForWhich::beside == ForWhich{FVR_FOR_OTHERS});
static_assert(TestOutcome::passed == TestOutcome{FVR_TEST_PASSED} &&
              TestOutcome::failed == TestOutcome{FVR_TEST_FAILED} &&
              TestOutcome::not_run == TestOutcome{FVR_TEST_NOT_RUN});

uint32_t count_of(size_t size) { return static_cast<uint32_t>(size); }

}  // namespace

Explanation::Explanation(CheckedRequest& request) {
  const PipelineEstimate& estimate = request.estimate();
  const auto& bindings = request.plans().planned().bindings();
  for (size_t i = 0; i < bindings.size(); ++i) add_site(*bindings[i], estimate.sites[i]);
  add_parameters(request);
  add_memory(request);

  info.seed = request.request().seed();
  info.seed_drawn = request.request().seed_was_drawn() ? 1 : 0;
  info.prompt_count = count_of(request.request().count());
  info.site_count = count_of(sites.size());
  info.parameter_count = count_of(parameters.size());
  info.memory_count = count_of(memory.size());
  info.preset = texts.keep(request.preset() != nullptr ? request.preset()->name : "none");
  info.strategy = texts.keep(request.cache() != nullptr ? request.cache()->name() : "none");
  info.strategy_source = texts.keep(request.cache_request().source.describe());
  if (estimate.cache != nullptr) {
    info.steps = estimate.cache->get().steps;
    info.branches = estimate.cache->get().branches;
  }
  if (const auto peak = request.memory().peak()) info.peak_bytes = peak->bytes;
  info.available_bytes = available_memory(request.model().device()).value_or(0);
  info.shortage = texts.keep(request.memory_shortage());
}

void Explanation::add_site(const AttentionBinding& binding, const PipelineEstimate::Site& site) {
  const AttentionChoice& choice = binding.choice;
  add_reasons(choice);
  const fv_attention_site& shape = site.site->get();
  fvr_site made{};
  made.numerics = binding.info.numerics;
  made.role = texts.keep(binding.role);
  made.backend = texts.keep(choice.backend->name);
  made.kernel = texts.keep(binding.kernel);
  made.library = texts.keep(choice.item->item->library.string());
  made.asked = texts.keep(choice.request.name);
  made.asked_source = texts.keep(choice.request.asked_by());
  made.asked_scope = static_cast<uint32_t>(choice.request.scope);
  made.self_test = static_cast<uint32_t>(choice.self_test.outcome);
  made.self_test_text = texts.keep(choice.self_test.text);
  made.reason_count = count_of(reasons.back().size());
  made.head_size = shape.head_size;
  made.heads = shape.query_heads;
  made.layers = shape.layers;
  made.batch = shape.batch;
  made.query_length = shape.query_length;
  made.key_length = shape.key_length;
  made.runs = site.runs;
  made.resident_bytes = binding.info.resident_bytes;
  made.scratch_bytes = binding.info.scratch_bytes;
  sites.push_back(made);
}

void Explanation::add_reasons(const AttentionChoice& choice) {
  std::vector<fvr_reason>& all = reasons.emplace_back();
  const auto add = [&](uint32_t kind, const std::string& subject, const std::string& text) {
    if (!text.empty()) all.push_back({0, kind, texts.keep(subject), texts.keep(text)});
  };
  add(FVR_PICKED, "", choice.picked_from);
  add(FVR_SLOWER, "", choice.slower_than);
  add(FVR_SUBSTITUTED, choice.request.name, choice.substituted_for);
  for (const AttentionRequest::Overridden& other : choice.request.overridden)
    add(FVR_OVERRIDDEN, other.name, other.source.describe());
  for (const Ruled& other : choice.others) add(FVR_NOT_TAKEN, other.candidate, other.why_not);
}

void Explanation::add_parameters(const CheckedRequest& request) {
  const auto& corrections = request.estimate().corrections;
  for (const ItemSetting& parameter : request.request().parameters()) {
    const auto corrected = std::ranges::find(corrections, parameter.name, &PipelineEstimate::Correction::parameter);
    add_parameter("request." + parameter.name, parameter.setting);
    if (corrected == corrections.end()) continue;
    parameters.back().used = texts.keep(corrected->used);
    parameters.back().reason = texts.keep(corrected->why);
  }
  std::vector<const CatalogItem*> items;
  for (const AttentionChoice& choice : request.choices())
    if (std::find(items.begin(), items.end(), choice.item) == items.end()) items.push_back(choice.item);
  if (request.cache() != nullptr) items.push_back(&request.cache()->item());
  for (const CatalogItem* one : items) {
    const std::string prefix = one->item->settings_prefix();
    for (const ItemSetting& option : request.settings().of_item(prefix, one->item->options))
      add_parameter(prefix + "." + option.name, option.setting);
  }
}

void Explanation::add_parameter(const std::string& path, const Setting& setting) {
  parameters.push_back(
      {0, 0, texts.keep(path), texts.keep(setting.value.to_toml()), texts.keep(setting.source.describe()), "", ""});
}

void Explanation::add_memory(const CheckedRequest& request) {
  for (const PipelineEstimate::Bytes& one : request.estimate().components)
    memory.push_back({0, FVR_WEIGHTS, texts.keep(one.name), one.bytes});
  for (const PipelineEstimate::Bytes& one : request.memory().stages)
    memory.push_back({0, FVR_PEAK, texts.keep(one.name), one.bytes});
  if (request.model().device().is_cuda() && request.memory().peak())
    memory.push_back({0, FVR_BESIDE, texts.keep(request.model().device().name), request.memory().beside_on_cuda()});
}

}  // namespace fastvideo::host
