// A request that can be run: completed, checked, and with all that was decided for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/model/loaded_model.hpp"
#include "host/request/memory_ledger.hpp"
#include "host/request/pipeline_request.hpp"
#include "host/request/preset.hpp"
#include "host/selection/attention_selector.hpp"
#include "host/selection/cache_policy.hpp"
#include "host/services/attention_session.hpp"
#include "host/services/cache_session.hpp"

namespace fastvideo::host {

/// What is run, with its plan: sites and their backends, caching, memory. Nothing is parsed or chosen again by runs, of
/// which there may be several, one after the other. [one thread: the loader's]
class CheckedRequest {
 public:
  /// Opens the backends and the strategy that the settings ask for, asks the pipeline what the request would take, and
  /// plans its sites. The model is borrowed and must outlive the request. `stand_in`, unless null, serves in the
  /// place of its item. Throws RequestError for whatever is impossible, also for a setting of the command line that
  /// would have no effect; std::runtime_error for a plugin that fails.
  CheckedRequest(LoadedModel& model, Settings settings, const StandIn* stand_in = nullptr);
  CheckedRequest(const CheckedRequest&) = delete;
  CheckedRequest& operator=(const CheckedRequest&) = delete;

  LoadedModel& model() const { return model_; }
  const Settings& settings() const { return settings_; }
  /// nullptr: none applies
  const Preset* preset() const { return preset_ ? &*preset_ : nullptr; }
  const PipelineRequest& request() const { return request_; }
  /// Of several prompts, asks for this one from now on.
  void select_prompt(size_t index) { request_.select(index); }
  const PipelineEstimate& estimate() const { return estimate_; }
  const CacheRequest& cache_request() const { return cache_request_; }
  /// nullptr: caching is off
  CacheStrategyHandle* cache() { return cache_.get(); }
  const CacheStrategyHandle* cache() const { return cache_.get(); }
  /// Of the estimate's sites, in their order.
  const std::vector<AttentionChoice>& choices() const { return plans_->choices(); }
  SitePlans& plans() { return *plans_; }

  /// What a run will hold.
  const MemoryLedger& memory() const { return memory_; }
  /// What is missing, and what to do, if the estimate exceeds the memory that is available now; else, and where [run]
  /// memory_check is off, empty.
  std::string memory_shortage();

 private:
  std::unique_ptr<CacheStrategyHandle> open_cache(const StandIn* stand_in);
  std::optional<Preset> choose_preset();
  PipelineEstimate ask_pipeline();
  void require_cache() const;
  void require_effect() const;
  std::string no_effect(const std::string& path) const;
  std::string no_site_of(const std::string& role) const;
  std::string what_fits(uint64_t available);
  const CacheKeeps* keeps() const { return keeps_ ? &*keeps_ : nullptr; }

  LoadedModel& model_;
  const Settings settings_;
  CacheRequest cache_request_;
  AttentionSelector selector_;
  std::unique_ptr<CacheStrategyHandle> cache_;
  std::optional<Preset> preset_;
  PipelineRequest request_;
  PipelineEstimate estimate_;
  std::optional<SitePlans> plans_;
  std::optional<CacheKeeps> keeps_;  // empty: caching is off, or nobody says how large what it keeps is
  MemoryLedger memory_;
};

}  // namespace fastvideo::host
