// Everything that a run needs, opened and checked, but not started: what `generate` runs and `explain` prints.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/run/pipeline.hpp"
#include "host/run/preset.hpp"
#include "host/run/request.hpp"
#include "host/selection/attention_selector.hpp"
#include "host/selection/cache_policy.hpp"
#include "host/selection/open_calibration.hpp"
#include "host/services/cache_session.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo {

/// A run before its start. [one thread: the loader's]
class PreparedRun {
 public:
  /// Opens the model folder and the pipeline that serves it, and asks the pipeline what the request would take. All
  /// arguments are borrowed and must outlive the run. Throws RequestError for whatever is impossible,
  /// std::runtime_error for a plugin that fails.
  /// `calibrated`: an item whose calibration runs in its place; nullptr: none.
  PreparedRun(const Settings& settings, const Catalog& catalog, const HostServices& host,
              const CatalogItem* calibrated = nullptr);

  const ModelFolder& folder() const { return folder_; }
  const RunDevice& device() const { return device_; }
  /// nullptr: none applies
  const Preset* preset() const { return preset_ ? &*preset_ : nullptr; }
  const PipelineRequest& request() const { return request_; }
  /// Of several prompts, asks for this one from now on.
  void select_prompt(std::size_t index) { request_.select(index); }
  const PipelineEstimate& estimate() const { return estimate_; }
  AttentionSelector& selector() { return selector_; }
  OpenPipeline& pipeline() { return pipeline_; }
  const OpenPipeline& pipeline() const { return pipeline_; }
  const CacheRequest& cache_request() const { return cache_request_; }
  /// nullptr: caching is off
  CacheStrategyHandle* cache() { return cache_.get(); }
  const CacheStrategyHandle* cache() const { return cache_.get(); }
  /// nullptr unless an item is calibrated
  OpenCalibration* calibration() { return calibration_.get(); }
  /// A request for the same pipeline out of other settings: another prompt, another seed.
  PipelineRequest request_for(const Settings& settings) const;

  const Settings& settings() const { return settings_; }
  /// The backends that will serve the sites, as PipelineEstimate has them; known once require_served has returned.
  const std::vector<const CatalogItem*>& backends() const { return chosen_; }

  /// The same with the reasons.
  const std::vector<AttentionChoice>& choices() const { return choices_; }

  /// Throws RequestError if a site cannot be served as configured, or the strategy does not take the session, or
  /// something that was given on the command line would have no effect.
  void require_served();
  /// What is missing, and what to do, if the estimate exceeds the memory that is available now; else empty.
  std::string memory_shortage();

 private:
  std::string what_fits(std::uint64_t available);
  std::unique_ptr<CacheStrategyHandle> open_cache(const HostServices& host);
  void require_effect(const std::vector<std::string>& backends) const;
  std::string no_effect(const std::string& path, const std::vector<std::string>& backends) const;
  std::string no_site_of(const std::string& role) const;

  const Settings& settings_;
  ModelFolder folder_;
  RunDevice device_;
  const CatalogItem& item_;
  CacheRequest cache_request_;
  const CatalogItem* cache_item_;
  Loader loader_;
  std::unique_ptr<OpenCalibration> calibration_;
  OpenBackends backends_;
  AttentionSelector selector_;
  std::unique_ptr<CacheStrategyHandle> cache_;
  OpenPipeline pipeline_;
  std::optional<Preset> preset_;
  PipelineRequest request_;
  PipelineEstimate estimate_;
  std::vector<const CatalogItem*> chosen_;
  std::vector<AttentionChoice> choices_;
};

}  // namespace fastvideo
