// fastvideo/attention.hpp - an attention backend as one class.
//
//   class Mine : public fastvideo::AttentionBackend {
//     fastvideo::Support supports(const fv_attention_site& site) const override;
//     void run(const fv_attention_site& site, const fv_attention_args& args) override;
//   };
//   FASTVIDEO_PLUGIN(fastvideo::attention<Mine>("MINE", "cpu"))
//
// A backend with work to do once per site overrides plan() too.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fastvideo/attention.h"
#include "fastvideo/core.hpp"

namespace fastvideo {

/// A backend's answer about a site.
struct Support {
  bool supported = false;
  uint32_t numerics = FV_NUMERICS_REORDERED;
  double score = 0;    ///< estimated microseconds of one run; 0 = no estimate
  std::string reason;  ///< why not, or which kernel will run

  static Support no(std::string reason) { return {false, FV_NUMERICS_REORDERED, 0, std::move(reason)}; }
  static Support yes(uint32_t numerics, double score = 0, std::string reason = {}) {
    return {true, numerics, score, std::move(reason)};
  }
};

/// A copy of a site that owns its strings, for plans that outlive the call that made them.
class AttentionSiteCopy {
 public:
  explicit AttentionSiteCopy(const fv_attention_site& site) : role_(site.role) {
    const uint32_t size = std::min(site.struct_size, uint32_t{sizeof site_});  // the caller may be older, or newer
    std::memcpy(&site_, &site, size);
    site_.struct_size = size;
    for (uint32_t i = 0; i < site.input_count; ++i) inputs_.emplace_back(site.inputs[i]);
    for (const std::string& name : inputs_) names_.push_back(name.c_str());
    site_.role = role_.c_str();
    site_.inputs = names_.data();
  }
  AttentionSiteCopy(const AttentionSiteCopy&) = delete;
  AttentionSiteCopy& operator=(const AttentionSiteCopy&) = delete;

  const fv_attention_site& get() const { return site_; }

 private:
  fv_attention_site site_{};
  std::string role_;
  std::vector<std::string> inputs_;
  std::vector<const char*> names_;
};

/// A backend's plan for one site. Threads: one at a time.
class AttentionPlan {
 public:
  virtual ~AttentionPlan() = default;

  /// Fills info, whose struct_size the caller has set. Pointers in info live as long as the plan. Called once.
  virtual void describe(fv_attention_plan_info& info) const { info.numerics = FV_NUMERICS_REORDERED; }

  /// Called before the first run with resident_bytes of device memory, which stay until the plan is destroyed.
  virtual void prepare(void* /*resident*/, void* /*stream*/) {}

  /// Enqueues one call on args.stream; on the CPU returns when out is written.
  virtual void run(const fv_attention_args& args) = 0;
};

/// A backend. Constructed from (const Host&, const Options&), (const Options&) or nothing.
class AttentionBackend {
 public:
  virtual ~AttentionBackend() = default;

  /// Pure, any thread. Sites with masks or requirements that this SDK does not know are refused without a call.
  virtual Support supports(const fv_attention_site& site) const = 0;

  /// One thread at a time. The default, for backends without work to do once per site, makes a plan that calls run()
  /// below.
  virtual std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site);

  /// For backends that do not override plan(). Different plans may run at the same time.
  virtual void run(const fv_attention_site& /*site*/, const fv_attention_args& /*args*/) {
    throw std::logic_error("the backend overrides neither plan() nor run()");
  }
};

namespace detail {

/// The plan of a backend that does not override plan().
class DirectPlan final : public AttentionPlan {
 public:
  DirectPlan(AttentionBackend& backend, const fv_attention_site& site)
      : backend_(backend), site_(site), numerics_(backend.supports(site).numerics) {}
  void describe(fv_attention_plan_info& info) const override { info.numerics = numerics_; }
  void run(const fv_attention_args& args) override { backend_.run(site_.get(), args); }

 private:
  AttentionBackend& backend_;
  AttentionSiteCopy site_;
  uint32_t numerics_;
};

constexpr uint32_t kKnownMasks =
    FV_MASK_CAUSAL | FV_MASK_FRAME_CAUSAL | FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN | FV_MASK_BIAS;
constexpr uint64_t kKnownRequirements = FV_REQUIRE_LOG_SUM_EXP | FV_REQUIRE_CAPTURE;

/// The C table of a backend class.
template <class Backend>
struct AttentionTable {
  static AttentionBackend& backend(fv_attention* b) { return *reinterpret_cast<AttentionBackend*>(b); }
  static AttentionPlan& plan(fv_attention_plan* p) { return *reinterpret_cast<AttentionPlan*>(p); }

  static fv_status create(const fv_services* host, const fv_entry* options, uint32_t count, fv_attention** out,
                          fv_text* error) noexcept {
    return guard(error, [&] {
      AttentionBackend* made = construct<Backend>(Host(host), Options(options, count));
      *out = reinterpret_cast<fv_attention*>(made);
    });
  }
  static void destroy(fv_attention* b) noexcept { delete &backend(b); }
  static fv_status supports(fv_attention* b, const fv_attention_site* site, fv_attention_support* support,
                            fv_text* error) noexcept {
    return guard(error, [&] {
      const bool known = (site->masks & ~kKnownMasks) == 0 && (site->require & ~kKnownRequirements) == 0;
      const Support answer =
          known ? backend(b).supports(*site)
                : Support::no("the site asks for something newer than this plugin; get a newer version of it");
      support->supported = answer.supported ? 1 : 0;
      support->numerics = answer.numerics;
      support->score = answer.score;
      write_text(&support->reason, answer.reason);
    });
  }
  static fv_status make_plan(fv_attention* b, const fv_attention_site* site, fv_attention_plan** out,
                             fv_attention_plan_info* info, fv_text* error) noexcept {
    return guard(error, [&] {
      std::unique_ptr<AttentionPlan> made = backend(b).plan(*site);
      if (made == nullptr) throw std::logic_error("plan() gave no plan; one that cannot be is refused with a reason");
      made->describe(*info);
      *out = reinterpret_cast<fv_attention_plan*>(made.release());
    });
  }
  static fv_status prepare(fv_attention_plan* p, void* resident, void* stream, fv_text* error) noexcept {
    return guard(error, [&] { plan(p).prepare(resident, stream); });
  }
  static fv_status run(fv_attention_plan* p, const fv_attention_args* args, fv_text* error) noexcept {
    return guard(error, [&] { plan(p).run(*args); });
  }
  static void destroy_plan(fv_attention_plan* p) noexcept { delete &plan(p); }

  static const void* get_interface(const char* id) {
    static const fv_attention_interface table = {
        sizeof(fv_attention_interface), 0, create, destroy, supports, make_plan, prepare, run, destroy_plan};
    return std::strcmp(id, FV_ATTENTION_INTERFACE) == 0 ? &table : nullptr;
  }
};

}  // namespace detail

inline std::unique_ptr<AttentionPlan> AttentionBackend::plan(const fv_attention_site& site) {
  return std::make_unique<detail::DirectPlan>(*this, site);
}

/// An attention backend of a plugin, for FASTVIDEO_PLUGIN.
template <class Backend>
fv_item attention(const char* name, const char* implementation) {
  return detail::item("attention", name, implementation, detail::AttentionTable<Backend>::get_interface);
}

}  // namespace fastvideo
