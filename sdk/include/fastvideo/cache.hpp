// fastvideo/cache.hpp - a caching strategy as two classes: the strategy, and its session for one video.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fastvideo/cache.h"
#include "fastvideo/core.hpp"

namespace fastvideo {

/// Compute the cut, or combine the slots: a coefficient per slot, then one for the base (see fv_cache_decision).
struct CacheDecision {
  bool compute = true;
  std::vector<double> coefficients;

  static CacheDecision computed() { return {}; }
  static CacheDecision combined(std::vector<double> coefficients) { return {false, std::move(coefficients)}; }
};

/// The cut, measures and slots that a session asks of the pipeline.
struct CachePlan {
  bool is_static = false;
  fv_cache_cut cut{};
  std::vector<fv_cache_measure> measures;
  std::vector<fv_cache_slot> slots;
};

/// The state of a strategy for one video. Threads: one at a time.
class CacheSession {
 public:
  virtual ~CacheSession() = default;

  /// Called before all others; the reference and its pointers stay valid as long as the session.
  virtual const CachePlan& plan() const = 0;

  /// The whole plan at once, if plan().is_static: measurements [steps][measures] -> decisions [steps][branches].
  virtual std::vector<CacheDecision> schedule(std::span<const double> /*measurements*/) {
    throw std::logic_error("a static session overrides schedule()");
  }

  /// One decision for all rows of a forward pass: measurements [batch][measures].
  virtual CacheDecision decide(const fv_cache_point& /*point*/, std::span<const double> /*measurements*/) {
    throw std::logic_error("a session that is not static overrides decide()");
  }

  /// Called after a forward pass that computed the cut: measurements [batch][measures].
  virtual void observe(const fv_cache_point& /*point*/, std::span<const double> /*measurements*/) {}
};

/// A strategy. Constructed from (const Host&, const Options&), (const Options&) or nothing.
class CacheStrategy {
 public:
  virtual ~CacheStrategy() = default;

  /// Empty if the strategy supports the session, otherwise the reason why not, with the remedy. Pure.
  virtual std::string refuses(const fv_cache_session_info& info) const = 0;

  /// Called only for sessions that refuses() does not refuse.
  virtual std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) = 0;
};

namespace detail {

/// A session with the steps and branches that give the number of decisions that schedule fills.
struct CacheSessionBox {
  std::unique_ptr<CacheSession> session;
  size_t steps;
  size_t branches;
};

inline void write_decision(const CacheDecision& from, fv_cache_decision& to, size_t slot_count) {
  to.action = from.compute ? FV_CACHE_COMPUTE : FV_CACHE_COMBINE;
  if (from.compute) return;
  if (from.coefficients.size() != slot_count + 1)
    throw std::logic_error("a decision has " + std::to_string(from.coefficients.size()) + " coefficients where " +
                           std::to_string(slot_count + 1) + " are due");
  std::copy(from.coefficients.begin(), from.coefficients.end(), to.coefficients);
}

/// The C table of a strategy class.
template <class Strategy>
struct CacheTable {
  static CacheStrategy& strategy(fv_cache_strategy* s) { return *reinterpret_cast<CacheStrategy*>(s); }
  static CacheSessionBox& box(fv_cache_session* s) { return *reinterpret_cast<CacheSessionBox*>(s); }
  static size_t measures(const CacheSessionBox& b) { return b.session->plan().measures.size(); }
  static size_t slots(const CacheSessionBox& b) { return b.session->plan().slots.size(); }

  static fv_status create(const fv_services* host, const fv_entry* options, uint32_t count, fv_cache_strategy** out,
                          fv_text* error) noexcept {
    return guard(error, [&] {
      CacheStrategy* made = construct<Strategy>(Host(host), Options(options, count));
      *out = reinterpret_cast<fv_cache_strategy*>(made);
    });
  }
  static void destroy(fv_cache_strategy* s) noexcept { delete &strategy(s); }
  static fv_status supports(fv_cache_strategy* s, const fv_cache_session_info* info, fv_cache_support* support,
                            fv_text* error) noexcept {
    return guard(error, [&] {
      const std::string reason = strategy(s).refuses(*info);
      support->supported = reason.empty() ? 1 : 0;
      write_text(&support->reason, reason);
    });
  }
  static fv_status open(fv_cache_strategy* s, const fv_cache_session_info* info, fv_cache_session** out,
                        fv_cache_plan* plan, fv_text* error) noexcept {
    return guard(error, [&] {
      if (const std::string reason = strategy(s).refuses(*info); !reason.empty()) throw Refused(reason);
      auto made = std::make_unique<CacheSessionBox>(CacheSessionBox{
          strategy(s).open(*info), static_cast<size_t>(info->steps), static_cast<size_t>(info->branches)});
      if (made->session == nullptr)
        throw std::logic_error("open() gave no session; one that cannot be is refused with a reason");
      const CachePlan& wanted = made->session->plan();
      plan->is_static = wanted.is_static ? 1 : 0;
      plan->cut = wanted.cut;
      plan->measure_count = static_cast<uint32_t>(wanted.measures.size());
      plan->measures = wanted.measures.data();
      plan->slot_count = static_cast<uint32_t>(wanted.slots.size());
      plan->slots = wanted.slots.data();
      *out = reinterpret_cast<fv_cache_session*>(made.release());
    });
  }
  static fv_status schedule(fv_cache_session* s, const double* measurements, fv_cache_decision* const* decisions,
                            fv_text* error) noexcept {
    return guard(error, [&] {
      const CacheSessionBox& b = box(s);
      const std::vector<CacheDecision> all = b.session->schedule({measurements, b.steps * measures(b)});
      if (all.size() != b.steps * b.branches)
        throw std::logic_error("schedule() answers " + std::to_string(all.size()) + " decisions for " +
                               std::to_string(b.steps) + " steps x " + std::to_string(b.branches) + " branches");
      for (size_t i = 0; i < all.size(); ++i) write_decision(all[i], *decisions[i], slots(b));
    });
  }
  static fv_status decide(fv_cache_session* s, const fv_cache_point* point, const double* measurements,
                          fv_cache_decision* decision, fv_text* error) noexcept {
    return guard(error, [&] {
      const CacheSessionBox& b = box(s);
      const size_t count = static_cast<size_t>(point->batch) * measures(b);
      write_decision(b.session->decide(*point, {measurements, count}), *decision, slots(b));
    });
  }
  static fv_status observe(fv_cache_session* s, const fv_cache_point* point, const double* measurements,
                           fv_text* error) noexcept {
    return guard(error, [&] {
      const CacheSessionBox& b = box(s);
      b.session->observe(*point, {measurements, static_cast<size_t>(point->batch) * measures(b)});
    });
  }
  static void close(fv_cache_session* s) noexcept { delete &box(s); }

  static const void* get_interface(const char* id) {
    static const fv_cache_interface table = {
        sizeof(fv_cache_interface), 0, create, destroy, supports, open, schedule, decide, observe, close};
    return std::strcmp(id, FV_CACHE_INTERFACE) == 0 ? &table : nullptr;
  }
};

}  // namespace detail

/// A caching strategy of a plugin, for FASTVIDEO_PLUGIN.
template <class Strategy>
fv_item cache(const char* name, const char* implementation) {
  return detail::item("cache", name, implementation, detail::CacheTable<Strategy>::get_interface);
}

}  // namespace fastvideo
