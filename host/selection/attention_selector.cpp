#include "host/selection/attention_selector.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <unordered_set>

#include "host/error/letter_case.hpp"
#include "host/log/log.hpp"
#include "host/plugins/installed_file.hpp"
#include "host/selection/border.hpp"
#include "host/selection/refusal.hpp"

namespace fastvideo::host {
namespace {

constexpr std::string_view kRolesPrefix = "attention.roles.";

// No estimate comes after every estimate.
double cost(const Candidate& candidate) {
  return candidate.support.score > 0 ? candidate.support.score : std::numeric_limits<double>::infinity();
}

// One row for each item: a fallback may name what was tried before.
std::vector<Ruled> ruled(const std::vector<Candidate>& candidates) {
  std::vector<Ruled> rows;
  std::unordered_set<std::string> known;
  for (const Candidate& candidate : candidates) {
    const std::string name = candidate.item->item->full_name();
    if (known.insert(name).second) rows.push_back({name, candidate.reason});
  }
  return rows;
}

std::string estimate_of(const Candidate& candidate) {
  return candidate.support.score > 0 ? formatted("%.0f us", candidate.support.score) : "nothing";
}

// Why the other implementations of the taken one's name are not taken, and whoever said yes and was no good.
std::vector<Ruled> others_of(const Candidate& taken, const std::vector<Candidate>& tried) {
  std::vector<Ruled> rows;
  for (const Candidate& other : tried) {
    if (&other == &taken) continue;
    if (!other.was_tried && !same_name(other.item->item->name, taken.item->item->name)) continue;
    std::string reason = other.reason;
    if (other.fits()) reason = "could serve too; estimates " + estimate_of(other) + ", that one " + estimate_of(taken);
    rows.push_back({other.item->item->full_name(), std::move(reason)});
  }
  return rows;
}

// The setting that a request comes from.
std::string setting_of(const AttentionRequest& request, std::string_view role) {
  using Scope = AttentionRequest::Scope;
  if (request.scope == Scope::role) return std::string(kRolesPrefix) + std::string(role);
  return request.scope == Scope::rest ? "attention.default" : "attention.backend";
}

std::string without_prefix(std::string_view text, std::string_view prefix) {
  return std::string(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

}  // namespace

AttentionSelector::AttentionSelector(const Settings& settings, const Catalog& catalog, OpenBackends& backends,
                                     SelfTests& self_tests, DeviceFacts device)
    : settings_(settings),
      catalog_(catalog),
      backends_(backends),
      device_(device),
      auto_numerics_(settings.strings("attention.numerics")),
      priority_(settings.strings("attention.priority")),
      self_tests_(self_tests) {}

void AttentionSelector::require_known(const std::string& name, const std::string& asked,
                                      const std::string& setting) const {
  if (same_name(name, kAuto) || !catalog_.find("attention", name).empty()) return;
  throw RequestError(unknown_name_refusal(name, asked, "attention", catalog_, device_), setting);
}

void AttentionSelector::require_known_names() const {
  const Setting& global = settings_.at("attention.backend");
  require_known(global.value.string(), global.source.describe(), "attention.backend");
  for (auto at = settings_.all().lower_bound(kRolesPrefix);
       at != settings_.all().end() && at->first.starts_with(kRolesPrefix); ++at)
    require_known(at->second.value.string(), at->second.source.describe(), at->first);
  for (const char* list : {"attention.fallback", "attention.priority"})
    for (const std::string& name : settings_.strings(list))
      require_known(name, settings_.at(list).source.describe(), list);
}

bool AttentionSelector::auto_takes(uint32_t numerics) const {
  return std::ranges::any_of(auto_numerics_,
                             [&](const auto& name) { return same_name(name, numerics_name(numerics)); });
}

AttentionRequest AttentionSelector::request_for(const char* role) const {
  return request_for_role(settings_, role, [this](const std::string& name, std::string_view of) {
    const auto claims = [&](const CatalogItem* item) { return claims_role(*item->item, of); };
    return std::ranges::any_of(catalog_.find("attention", name), claims);
  });
}

bool AttentionSelector::is_free(const char* role) const { return request_for(role).is_auto(); }

AttentionChoice AttentionSelector::choose(const fv_attention_site& site, const PlanSite& plan) {
  AttentionRequest request = request_for(site.role);
  require_known(request.name, request.asked_by(), setting_of(request, site.role));
  std::vector<Candidate> tried = candidates(request.name, site);
  const Candidate* taken = best_that_computes(tried, site, plan);
  if (taken == nullptr) return fall_back(std::move(request), site, plan, std::move(tried));

  const auto fitting = std::ranges::count_if(tried, &Candidate::fits);
  std::string from;
  if (request.is_auto())
    from = "best of " + std::to_string(fitting) + " that auto may take";
  else if (fitting > 1)
    from = "best of its " + std::to_string(fitting) + " implementations that can";
  return {*taken, std::move(request), std::move(from), {}, others_of(*taken, tried), slower_than(*taken, site)};
}

// Who takes an approximation wants time for it. "slower than FLASH_ATTN here: 0.066 ms instead of 0.046", by what the
// backends estimate, or nothing.
std::string AttentionSelector::slower_than(const Candidate& taken, const fv_attention_site& site) {
  if (taken.support.numerics < FV_NUMERICS_APPROXIMATE || !(taken.support.score > 0)) return {};
  const std::vector<Candidate> all = candidates(std::string(kAuto), site);
  const Candidate* fastest = nullptr;
  for (const Candidate& other : all)
    if (other.fits() && other.support.numerics < FV_NUMERICS_APPROXIMATE && cost(other) < cost(taken) &&
        (fastest == nullptr || cost(other) < cost(*fastest)))
      fastest = &other;
  if (fastest == nullptr) return {};
  return "slower than " + fastest->item->item->name + " here: " + formatted("%.2g", taken.support.score / 1000) +
         " ms instead of " + formatted("%.2g", fastest->support.score / 1000) + ", as they estimate";
}

std::vector<Candidate> AttentionSelector::candidates(const std::string& name, const fv_attention_site& site) {
  const bool any = same_name(name, kAuto);
  std::vector<Candidate> examined;
  for (const CatalogItem* item : any ? catalog_.offered("attention") : catalog_.find("attention", name)) {
    Candidate candidate = examine(*item, site);
    if (any && candidate.fits() && !auto_takes(candidate.support.numerics))
      candidate.reason =
          "is " + numerics_name(candidate.support.numerics) + ", which [attention] numerics does not let auto choose";
    examined.push_back(std::move(candidate));
  }
  return examined;
}

Candidate AttentionSelector::examine(const CatalogItem& item, const fv_attention_site& site) {
  Candidate candidate;
  candidate.item = &item;
  if (const auto reason = rule_out(item.item->limits, site, device_)) {
    candidate.reason = *reason;
    return candidate;
  }
  candidate.reason = what_is_missing(item, settings_);
  if (!candidate.fits()) return candidate;
  try {
    candidate.backend = &backends_.open(item, settings_);
  } catch (const std::exception& e) {
    candidate.reason = without_prefix(e.what(), item.item->full_name() + ": ");
    if (logged_.insert("open " + item.item->full_name()).second)
      log_warning("selection", std::string("a backend cannot be opened: ") + e.what());
    return candidate;
  }
  const OpenBackend& open = *candidate.backend;
  TextBuffer reason;
  TextBuffer error;
  fv_attention_support answer{};
  answer.struct_size = sizeof answer;
  answer.reason = *reason.get();
  const fv_status status = called(call_name("supports", open.name, site.role), error.get(),
                                  [&] { return open.table->supports(open.backend, &site, &answer, error.get()); });
  if (status != FV_OK) {
    candidate.reason = "could not answer: " + (error.str().empty() ? "status " + std::to_string(status) : error.str());
  } else if (answer.supported > 1) {
    candidate.reason =
        "says neither yes nor no (supported = " + std::to_string(answer.supported) + "): a fault of the plugin";
  } else if (answer.supported == 0) {
    candidate.reason = reason.str().empty() ? "says no and gives no reason" : reason.str();
  } else if (answer.numerics > item.item->numerics) {
    candidate.reason = "its numerics would be " + numerics_name(answer.numerics) + " where its manifest promises " +
                       numerics_name(item.item->numerics) + " at worst: a fault of the plugin";
  } else {
    candidate.support = {answer.numerics, answer.score, reason.str()};
  }
  return candidate;
}

const Candidate* AttentionSelector::best(const std::vector<Candidate>& candidates) const {
  const auto rank = [this](const Candidate& candidate) {
    const Item& item = *candidate.item->item;
    const auto preferred = std::ranges::find_if(priority_, [&](const std::string& name) {
      return same_name(name, item.name) || same_name(name, item.full_name());
    });
    return std::tuple(preferred - priority_.begin(), cost(candidate), item.full_name());
  };
  const Candidate* taken = nullptr;
  for (const Candidate& candidate : candidates)
    if (candidate.fits() && (taken == nullptr || rank(candidate) < rank(*taken))) taken = &candidate;
  return taken;
}

const Candidate* AttentionSelector::best_that_computes(std::vector<Candidate>& candidates,
                                                       const fv_attention_site& site, const PlanSite& plan) {
  while (const Candidate* first = best(candidates)) {
    Candidate& taken = candidates[static_cast<size_t>(first - candidates.data())];
    if (passes(taken, site, plan)) return first;
    const std::string name = taken.item->item->full_name();
    if (logged_.insert(name + site.role + taken.reason).second)
      log_warning("selection", name + " at " + site.role + " " + taken.reason);
  }
  return nullptr;
}

// A backend that fits does what it says. If not, its reason says why.
bool AttentionSelector::passes(Candidate& candidate, const fv_attention_site& site, const PlanSite& plan) {
  candidate.was_tried = true;
  candidate.self_test = test(candidate, site);
  if (candidate.self_test.outcome == SelfTest::Outcome::failed) {
    candidate.reason = "failed its self-test: " + candidate.self_test.text;
    return false;
  }
  if (!plan) return true;
  try {
    plan(candidate);
    return true;
  } catch (const std::exception& e) {
    candidate.failed = dynamic_cast<const RequestError*>(&e) == nullptr;
    candidate.reason =
        "cannot be planned: " + without_prefix(e.what(), candidate.backend->name + " at " + site.role + ": ");
    return false;
  }
}

SelfTest AttentionSelector::test(const Candidate& candidate, const fv_attention_site& site) {
  if (!settings_.boolean("attention.self_test")) return {SelfTest::Outcome::not_run, "[attention] self_test is off"};
  if (candidate.backend->is_stand_in) return {SelfTest::Outcome::not_run, "stands in for a calibration"};
  return self_tests_.of(*candidate.item->item, *candidate.backend, site);
}

AttentionChoice AttentionSelector::fall_back(AttentionRequest request, const fv_attention_site& site,
                                             const PlanSite& plan, std::vector<Candidate> tried) {
  const std::string reason =
      joined(ruled(tried), "; ", [](const Ruled& row) { return row.candidate + ": " + row.why_not; });
  const std::string stands_in = " stands in for " + request.describe() + ", as [attention] fallback permits (";
  for (const std::string& name : settings_.strings("attention.fallback")) {
    require_known(name, settings_.at("attention.fallback").source.describe(), "attention.fallback");
    std::vector<Candidate> substitutes = candidates(name, site);
    if (const Candidate* taken = best_that_computes(substitutes, site, plan)) {
      const std::string used = site.role + (": " + taken->item->item->full_name());
      if (logged_.insert("substitute " + used).second)
        log_warning("selection", std::string(used).append(stands_in).append(reason).append(")"));
      return {*taken, std::move(request), "[attention] fallback permits it", reason, others_of(*taken, substitutes)};
    }
    tried.insert(tried.end(), std::make_move_iterator(substitutes.begin()), std::make_move_iterator(substitutes.end()));
  }
  const std::string refusal = site_refusal(request, site, ruled(tried), catalog_, device_);
  if (std::ranges::any_of(tried, &Candidate::failed)) throw std::runtime_error(refusal);
  throw RequestError(refusal, setting_of(request, site.role));
}

}  // namespace fastvideo::host
