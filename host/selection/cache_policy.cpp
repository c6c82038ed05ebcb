#include "host/selection/cache_policy.hpp"

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/selection/refusal.hpp"
#include "host/selection/rivals.hpp"

namespace fastvideo::host {
namespace {

// "teacache" of "teacache" and of "teacache/policy"
std::string_view public_name(std::string_view name) { return name.substr(0, name.find('/')); }

// Puts `name` into the request's place, if its source is the higher one.
void compete(CacheRequest& request, const std::string& name, const Source& source) {
  const bool same = same_name(public_name(request.name), public_name(name));
  if (source.kind == request.source.kind && !request.is_none() && !same)
    throw RequestError("two caching strategies are asked for: " + request.name + " by " + request.source.describe() +
                           ", and " + name + " by " + source.describe() + "; a run has one",
                       "cache.strategy");
  if (source.kind < request.source.kind) {
    request.overridden.push_back({name, source});
    return;
  }
  if (same) return;
  if (request.source.kind != Source::Kind::built_in)
    request.overridden.insert(request.overridden.begin(), {request.name, request.source});
  request.name = name;
  request.source = source;
}

}  // namespace

bool CacheRequest::is_none() const { return same_name(name, "none"); }

CacheRequest cache_request(const Settings& settings, const Catalog& catalog) {
  const Setting& strategy = settings.at("cache.strategy");
  CacheRequest request{strategy.value.string(), strategy.source, {}};
  for (const Setting::Outranked& other : strategy.outranked)
    request.overridden.push_back({other.value.string(), other.source});

  for (const std::string& name : catalog.names("cache")) {
    const Setting* enable = settings.find("cache." + name + "." + std::string(kEnableOption));
    if (enable == nullptr) continue;
    if (enable->value.boolean())
      compete(request, name, enable->source);
    else if (same_name(public_name(request.name), name) && enable->source.kind >= request.source.kind)
      compete(request, "none", enable->source);
  }
  return request;
}

const CatalogItem* chosen_cache_strategy(const CacheRequest& request, const Catalog& catalog,
                                         const DeviceFacts& device) {
  if (request.is_none()) return nullptr;
  const std::vector<const CatalogItem*> candidates = catalog.find("cache", request.name);
  if (candidates.empty())
    throw RequestError(unknown_name_refusal(request.name, request.source.describe(), "cache", catalog, device),
                       "cache.strategy");
  const OnDevice fitting = on_device(candidates, device);
  if (!fitting.items.empty())
    return &one_of_rivals(fitting.items, "the caching strategy " + request.name, "--cache-strategy ");
  throw RequestError("caching cannot be done as configured: " + request.name + ", asked for by " +
                         request.source.describe() + refusal_table(fitting.others),
                     "cache.strategy");
}

}  // namespace fastvideo::host
