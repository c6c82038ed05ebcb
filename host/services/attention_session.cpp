#include "host/services/attention_session.hpp"

#include <fastvideo/core.hpp>
#include <stdexcept>

#include "host/selection/border.hpp"
#include "host/services/token_order.hpp"

namespace fastvideo {
namespace {

bool has_video_tokens(const fv_attention_site& site) {
  const std::string_view role = site.role;
  return role == FV_ROLE_DIT_SELF || role == FV_ROLE_DIT_JOINT;
}

std::string at_role(const AttentionBinding& binding) { return binding.choice.backend->name + " at " + binding.role; }

// The status of a plan's function, its text behind the backend's name. Only a failed call comes here.
fv_status with_name(fv_status status, const AttentionBinding& binding, fv_text* error) {
  if (error == nullptr || error->data == nullptr || error->capacity == 0) return status;
  const std::string said =
      error->data[0] == '\0' ? "gave status " + std::to_string(status) + " and no reason" : std::string(error->data);
  write_text(error, at_role(binding) + ": " + said);
  return status;
}

}  // namespace

AttentionSession::AttentionSession(AttentionSelector& selector, std::span<const fv_attention_site* const> sites) {
  try {
    for (const fv_attention_site* site : sites) {
      AttentionBinding& binding = *bindings_.emplace_back(std::make_unique<AttentionBinding>());
      binding.role = site->role;
      binding.layers = site->layers;
      binding.choice = selector.choose(*site);
      plan(*site, binding);
    }
    merge_orders(sites);
  } catch (...) {
    destroy_plans();
    throw;
  }
}

AttentionSession::~AttentionSession() { destroy_plans(); }

void AttentionSession::destroy_plans() noexcept {
  for (const auto& binding : bindings_)
    if (binding->plan != nullptr)
      released(at_role(*binding), "destroy_plan", [&] { binding->choice.backend->table->destroy_plan(binding->plan); });
}

void AttentionSession::plan(const fv_attention_site& site, AttentionBinding& binding) {
  const OpenBackend& backend = *binding.choice.backend;
  binding.info.struct_size = sizeof binding.info;
  TextBuffer text;
  const fv_status status = called("plan", text.get(), [&] {
    return backend.table->plan(backend.backend, &site, &binding.plan, &binding.info, text.get());
  });
  require_ok(status, text, at_role(binding));
  if (binding.plan == nullptr) throw std::runtime_error(at_role(binding) + ": plan gave no plan and no error");
  if (binding.info.numerics > binding.choice.support.numerics)
    throw std::runtime_error(at_role(binding) + ": its plan is " + numerics_name(binding.info.numerics) +
                             " where it had promised " + numerics_name(binding.choice.support.numerics));
  binding.kernel = binding.info.kernel != nullptr ? binding.info.kernel : binding.choice.support.detail;
  binding.run = backend.table->run;
  binding.abi = {sizeof binding.abi, 0, backend.name.c_str(), &binding.info, &binding};
}

void AttentionSession::merge_orders(std::span<const fv_attention_site* const> sites) {
  std::vector<TokenOrderWish> wishes;
  for (size_t i = 0; i < sites.size(); ++i) {
    const fv_attention_site& site = *sites[i];
    const fv_attention_plan_info& info = bindings_[i]->info;
    if (info.token_order == nullptr) continue;
    const std::int64_t tokens = site.grid[0] * site.grid[1] * site.grid[2];
    if (!has_video_tokens(site) || tokens == 0)
      throw std::runtime_error(at_role(*bindings_[i]) + ": asks for a token order where there is no grid of tokens");
    wishes.push_back(
        {at_role(*bindings_[i]), {info.token_order, static_cast<size_t>(std::max<int64_t>(info.token_count, 0))}});
    require_bijection(wishes.back(), tokens);
  }
  token_order_ = merge_token_orders(wishes);
}

fv_status AttentionSession::prepare(AttentionBinding& binding, void* resident, void* stream, fv_text* error) {
  const auto function = binding.choice.backend->table->prepare;
  if (function == nullptr) return FV_OK;
  const fv_status status = called("prepare", error, [&] { return function(binding.plan, resident, stream, error); });
  return status == FV_OK ? status : with_name(status, binding, error);
}

fv_status AttentionSession::run(AttentionBinding& binding, const fv_attention_args* args, fv_text* error) {
  ++binding.calls;
  const fv_status status = called("run", error, [&] { return binding.run(binding.plan, args, error); });
  return status == FV_OK ? status : with_name(status, binding, error);
}

}  // namespace fastvideo
