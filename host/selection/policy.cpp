#include "host/selection/policy.hpp"

#include "host/error/letter_case.hpp"

namespace fastvideo::host {
namespace {

using RequestScope = AttentionRequest::Scope;

AttentionRequest from(const Setting& setting, RequestScope scope) {
  AttentionRequest request{setting.value.string(), scope, setting.source, {}};
  for (const Setting::Outranked& outranked : setting.outranked)
    request.overridden.push_back({outranked.value.string(), scope, outranked.source});
  return request;
}

// The winner, knowing what it overrides. A default overrides nothing and is not worth a word when it loses.
AttentionRequest over(AttentionRequest winner, const AttentionRequest& loser) {
  if (loser.source.kind == Source::Kind::built_in) return winner;
  winner.overridden.push_back({loser.name, loser.scope, loser.source});
  winner.overridden.insert(winner.overridden.end(), loser.overridden.begin(), loser.overridden.end());
  return winner;
}

}  // namespace

bool AttentionRequest::is_auto() const { return same_name(name, kAuto); }

std::string AttentionRequest::asked_by() const {
  if (source.kind != Source::Kind::built_in) return source.describe();
  if (scope == RequestScope::beside) return "the default beside a backend that does not claim the role";
  return scope == RequestScope::rest ? "the default of [attention] default" : "the default of [attention] backend";
}

std::string AttentionRequest::describe() const {
  return name + (source.kind == Source::Kind::built_in ? ", " : ", asked for by ") + asked_by();
}

AttentionRequest request_for_role(const Settings& settings, std::string_view role, const Claims& claims) {
  AttentionRequest global = from(settings.at("attention.backend"), RequestScope::global);
  const bool governed = global.is_auto() ? role.starts_with("dit.") : claims(global.name, role);
  if (const Setting* own = settings.find("attention.roles." + std::string(role))) {
    AttentionRequest request = from(*own, RequestScope::role);
    if (!governed) return request;
    return request.source.kind >= global.source.kind ? over(std::move(request), global) : over(global, request);
  }
  if (governed) return global;
  AttentionRequest rest = from(settings.at("attention.default"), RequestScope::rest);
  if (!global.is_auto() && role.starts_with("dit.") && rest.source.kind == Source::Kind::built_in) {
    rest.name = kAuto;
    rest.scope = RequestScope::beside;
  }
  return rest;
}

}  // namespace fastvideo::host
