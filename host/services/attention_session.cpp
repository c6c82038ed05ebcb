#include "host/services/attention_session.hpp"

#include <algorithm>
#include <fastvideo/core.hpp>
#include <stdexcept>

#include "host/selection/attention_contract.hpp"
#include "host/selection/border.hpp"

namespace fastvideo::host {
namespace {

bool has_video_tokens(const fv_attention_site& site) {
  const std::string_view role = site.role;
  return role == FV_ROLE_DIT_SELF || role == FV_ROLE_DIT_JOINT;
}

std::string at_role(const std::string& backend, std::string_view role) { return backend + " at " + std::string(role); }

std::string at_role(const AttentionBinding& binding) { return at_role(binding.choice.backend->name, binding.role); }

}  // namespace

void AttentionBinding::destroy_plan() noexcept {
  if (plan != nullptr)
    released({"destroy_plan", running.plugin, running.site}, [&] { choice.backend->table->destroy_plan(plan); });
  plan = nullptr;
}

AttentionSession::AttentionSession(AttentionSelector& selector, std::span<const fv_attention_site* const> sites,
                                   std::span<const AttentionChoice> choices)
    : selector_(selector) {
  for (const fv_attention_site* site : sites) {
    require_possible(site);
    AttentionBinding& binding = *bindings_.emplace_back(std::make_unique<AttentionBinding>());
    binding.role = site->role;
    binding.layers = site->layers;
  }
  for (const bool is_free : {false, true})
    for (size_t i = 0; i < sites.size(); ++i)
      if (selector.is_free(sites[i]->role) == is_free)
        open(*sites[i], choices.empty() ? nullptr : &choices[i], *bindings_[i]);
  token_order_ = merge_token_orders(wishes_);
}

void AttentionSession::open(const fv_attention_site& site, const AttentionChoice* chosen, AttentionBinding& binding) {
  if (chosen == nullptr || !plan_as_chosen(site, *chosen, binding))
    binding.choice =
        selector_.choose(site, [&](const SiteBackend& candidate) { plan_as_promised(site, candidate, binding); });
  const OpenBackend& backend = *binding.choice.backend;
  binding.kernel = binding.info.kernel != nullptr ? binding.info.kernel : binding.choice.support.detail;
  binding.run = backend.table->run;
  binding.abi = {sizeof binding.abi, 0, backend.name.c_str(), &binding.info, &binding};
}

// False: it is no longer to be had, and why is said by whoever chooses again.
bool AttentionSession::plan_as_chosen(const fv_attention_site& site, const AttentionChoice& chosen,
                                      AttentionBinding& binding) {
  try {
    plan_as_promised(site, chosen, binding);
  } catch (const std::exception&) {
    return false;
  }
  binding.choice = chosen;
  return true;
}

void AttentionSession::plan_as_promised(const fv_attention_site& site, const SiteBackend& candidate,
                                        AttentionBinding& binding) {
  binding.destroy_plan();  // of a candidate that did not keep what it had promised
  const OpenBackend& backend = *candidate.backend;
  binding.running = call_name("run", backend.name, binding.role);
  binding.choice.backend = &backend;  // whose plan is to be destroyed, whatever happens
  binding.info = {};
  binding.info.struct_size = sizeof binding.info;
  const std::string who = at_role(backend.name, binding.role);
  fv_attention_plan* made = nullptr;
  call_or_throw({"plan", binding.running.plugin, binding.running.site}, who, [&](fv_text* error) {
    return backend.table->plan(backend.backend, &site, &made, &binding.info, error);
  });
  if (made == nullptr) throw std::runtime_error(who + ": plan gave no plan and no error");
  binding.plan = made;
  binding.info.struct_size = sizeof binding.info;  // whatever it is now: the pipeline reads it
  require_kept(site, candidate, binding);
}

// The plan is what the backend has promised, and the run can follow its order of the tokens.
void AttentionSession::require_kept(const fv_attention_site& site, const SiteBackend& candidate,
                                    const AttentionBinding& binding) {
  const fv_attention_plan_info& info = binding.info;
  const std::string who = at_role(candidate.backend->name, binding.role);
  if (const std::string fault = fault_of_plan_info(info, selector_.device()); !fault.empty())
    throw std::runtime_error(who + ": " + fault);
  if (info.numerics > candidate.support.numerics)
    throw std::runtime_error(who + ": its plan is " + numerics_name(info.numerics) + " where it had promised " +
                             numerics_name(candidate.support.numerics));
  if (info.token_order == nullptr) return;
  const int64_t tokens = site.grid[0] * site.grid[1] * site.grid[2];
  if (!has_video_tokens(site) || tokens == 0)
    throw std::runtime_error(who + ": asks for a token order where there is no grid of tokens");
  TokenOrderWish wish{who, {info.token_order, static_cast<size_t>(std::max<int64_t>(info.token_count, 0))}};
  require_bijection(wish, tokens);
  std::vector<TokenOrderWish> all = wishes_;
  all.push_back(std::move(wish));
  merge_token_orders(all);
  wishes_ = std::move(all);
}

fv_status AttentionSession::prepare(AttentionBinding& binding, void* resident, void* stream, fv_text* error) {
  const auto function = binding.choice.backend->table->prepare;
  if (function == nullptr) return FV_OK;
  const fv_status status = called({"prepare", binding.running.plugin, binding.running.site}, error,
                                  [&] { return function(binding.plan, resident, stream, error); });
  return status == FV_OK ? status : with_name(status, at_role(binding), error);
}

fv_status AttentionSession::run(AttentionBinding& binding, const fv_attention_args* args, fv_text* error) {
  if (args == nullptr || args->q == nullptr || args->k == nullptr || args->v == nullptr || args->out == nullptr) {
    write_text(error, "the pipeline gives no q, k, v or out to " + at_role(binding));
    return FV_FAILED;
  }
  ++binding.calls;
  const fv_status status = called_often(binding.running, error, [&] { return binding.run(binding.plan, args, error); });
  return status == FV_OK ? status : with_name(status, at_role(binding), error);
}

}  // namespace fastvideo::host
