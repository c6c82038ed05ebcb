// The attention service of a run: which plans serve its sites, and the calls through them.
#pragma once

#include <fastvideo/attention.h>

#include <fastvideo/attention.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/calls/call_note.hpp"
#include "host/selection/attention_selector.hpp"
#include "host/services/token_order.hpp"

namespace fastvideo::host {

/// One site of a session: its plan, which it destroys, and what a call needs. Public members are what the summary and
/// explain read.
struct AttentionBinding {
  AttentionBinding() = default;
  ~AttentionBinding() { destroy_plan(); }
  AttentionBinding(const AttentionBinding&) = delete;
  AttentionBinding& operator=(const AttentionBinding&) = delete;
  void destroy_plan() noexcept;

  fv_attention_binding abi{};
  std::string role;
  AttentionChoice choice;
  fv_attention_plan_info info{};
  std::string kernel;  ///< of the plan, else what supports() said; may be empty
  int64_t layers = 0;  ///< of the site
  uint64_t calls = 0;  ///< so far

  CallName running;  ///< of `run`, for whoever must say where a call is
  fv_attention_plan* plan = nullptr;
  fv_status (*run)(fv_attention_plan* plan, const fv_attention_args* args, fv_text* error) = nullptr;
};

/// The sites of one run, planned. One thread at a time.
class AttentionSession {
 public:
  /// Chooses a backend for each site and plans it: those that were asked for by name first, so that the others suit
  /// their token order. A candidate whose plan is refused, fails, is worse than promised or wants an order that is none
  /// or another one gives way to the next. The selector and its backends must outlive the session. Throws RequestError
  /// (a site cannot be served), or std::runtime_error (and a plan failed).
  /// `choices`, where all has been chosen before, for the same sites: plans them with those backends, and chooses anew
  /// only if one of them can no longer be planned.
  AttentionSession(AttentionSelector& selector, std::span<const fv_attention_site* const> sites,
                   std::span<const AttentionChoice> choices = {});
  AttentionSession(const AttentionSession&) = delete;
  AttentionSession& operator=(const AttentionSession&) = delete;

  /// In the order of the sites.
  const std::vector<std::unique_ptr<AttentionBinding>>& bindings() const { return bindings_; }
  /// Position -> raster index; empty: raster order.
  const std::vector<int64_t>& token_order() const { return token_order_; }

  /// As the service says.
  static fv_status prepare(AttentionBinding& binding, void* resident, void* stream, fv_text* error);
  static fv_status run(AttentionBinding& binding, const fv_attention_args* args, fv_text* error);

 private:
  void open(const fv_attention_site& site, const AttentionChoice* chosen, AttentionBinding& binding);
  bool plan_as_chosen(const fv_attention_site& site, const AttentionChoice& chosen, AttentionBinding& binding);
  void plan_as_promised(const fv_attention_site& site, const SiteBackend& candidate, AttentionBinding& binding);
  void require_kept(const fv_attention_site& site, const SiteBackend& candidate, const AttentionBinding& binding);

  AttentionSelector& selector_;
  std::vector<std::unique_ptr<AttentionBinding>> bindings_;
  std::vector<TokenOrderWish> wishes_;
  std::vector<int64_t> token_order_;
};

/// The sites of a request and who serves them: chosen and planned once, when the request is checked. A run takes the
/// plans; those that follow plan again, as chosen. [one thread: the loader's]
class SitePlans {
 public:
  /// Chooses and plans the sites, as AttentionSession does and throws. The selector must outlive this object.
  SitePlans(AttentionSelector& selector, std::span<const fv_attention_site* const> sites);

  /// In the order of the sites.
  const std::vector<AttentionChoice>& choices() const { return choices_; }
  /// Bytes of device memory that the plans keep as long as they live, all together, and that the neediest of them uses
  /// while it runs.
  uint64_t resident_bytes() const { return resident_bytes_; }
  uint64_t scratch_bytes() const { return scratch_bytes_; }
  /// The second of the plans of sites that are not called in the denoising loop, as far as sites say so.
  uint64_t scratch_outside_loop() const { return scratch_outside_loop_; }
  /// What is planned, and not taken by a run yet: at the first call made again if it is. Throws as the constructor.
  const AttentionSession& planned();

  /// A session for the sites that a run opens: those of the request, or, if a pipeline opens others, chosen now.
  std::unique_ptr<AttentionSession> take(std::span<const fv_attention_site* const> sites);

 private:
  bool are_mine(std::span<const fv_attention_site* const> sites) const;
  std::unique_ptr<AttentionSession> plan_again();

  AttentionSelector& selector_;
  std::vector<std::unique_ptr<AttentionSiteCopy>> sites_;
  std::vector<AttentionChoice> choices_;
  uint64_t resident_bytes_ = 0, scratch_bytes_ = 0, scratch_outside_loop_ = 0;
  std::unique_ptr<AttentionSession> planned_;
};

/// What a run did at one role, for its summary.
struct AttentionUse {
  std::string role;
  std::string backend;
  std::string kernel;
  std::string library;  ///< the backend's file
  uint64_t calls = 0;
  std::string slower_than = {};  ///< as AttentionChoice has it
};

/// fv_attention_service over the plans of a request.
class AttentionService {
 public:
  explicit AttentionService(SitePlans& plans);
  AttentionService(const AttentionService&) = delete;
  AttentionService& operator=(const AttentionService&) = delete;

  const fv_attention_service* service() const { return &service_; }
  /// The functions without a context: prepare and run need none.
  static fv_attention_service functions();
  /// Of all sessions that were closed so far, in the order of their sites.
  const std::vector<AttentionUse>& used() const { return used_; }

 private:
  void close(AttentionSession* session);

  SitePlans& plans_;
  std::vector<std::unique_ptr<AttentionSession>> sessions_;
  std::vector<AttentionUse> used_;
  fv_attention_service service_;
};

}  // namespace fastvideo::host
