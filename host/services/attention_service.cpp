#include <algorithm>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>

#include "host/log/log.hpp"
#include "host/selection/border.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo::host {
namespace {

AttentionBinding& binding_of(const fv_attention_binding* binding) {
  return *static_cast<AttentionBinding*>(binding->handle);
}

// What serves a role and why: once in a process, which may open the same sites for many prompts.
void log_choice(const AttentionBinding& binding) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::string text = binding.role + ": " + binding.choice.backend->name +
                           (binding.kernel.empty() ? "" : " (" + binding.kernel + ")") + ", " +
                           binding.choice.request.describe() + "; from " + binding.choice.item->item->library.string();
  const std::lock_guard lock(mutex);
  if (said.insert(text).second) log_info("attention", text);
}

}  // namespace

AttentionService::AttentionService(SitePlans& plans) : plans_(plans), service_(functions()) { service_.context = this; }

fv_attention_service AttentionService::functions() {
  fv_attention_service service{};
  service.struct_size = sizeof service;
  service.open = [](void* context, const fv_attention_site* const* sites, uint32_t count,
                    const fv_attention_binding** bindings, const int64_t** token_order, int64_t* token_count,
                    fv_attention_session** session, fv_text* error) {
    return serve(error, [&] {
      if (sites == nullptr || bindings == nullptr || token_order == nullptr || token_count == nullptr ||
          session == nullptr)
        throw std::runtime_error("the pipeline opens attention and gives NULL for its sites or for room for an answer");
      auto& self = *static_cast<AttentionService*>(context);
      const LoaderTurn turn;  // another request may be checked meanwhile, with the same backends
      auto& made = *self.sessions_.emplace_back(self.plans_.take(std::span(sites, count)));
      for (size_t i = 0; i < count; ++i) bindings[i] = &made.bindings()[i]->abi;
      for (const auto& binding : made.bindings()) log_choice(*binding);
      *token_order = made.token_order().empty() ? nullptr : made.token_order().data();
      *token_count = static_cast<int64_t>(made.token_order().size());
      *session = reinterpret_cast<fv_attention_session*>(&made);
    });
  };
  service.prepare = [](void*, const fv_attention_binding* binding, void* resident, void* stream, fv_text* error) {
    return AttentionSession::prepare(binding_of(binding), resident, stream, error);
  };
  service.run = [](void*, const fv_attention_binding* binding, const fv_attention_args* args, fv_text* error) {
    return AttentionSession::run(binding_of(binding), args, error);
  };
  service.close = [](void* context, fv_attention_session* session) {
    static_cast<AttentionService*>(context)->close(reinterpret_cast<AttentionSession*>(session));
  };
  return service;
}

void AttentionService::close(AttentionSession* session) {
  const auto at = std::ranges::find(sessions_, session, &std::unique_ptr<AttentionSession>::get);
  if (at == sessions_.end()) return;
  for (const auto& binding : session->bindings())
    used_.push_back({binding->role, binding->choice.backend->name, binding->kernel,
                     binding->choice.item->item->library.string(), binding->calls, binding->choice.slower_than});
  sessions_.erase(at);
}

}  // namespace fastvideo::host
