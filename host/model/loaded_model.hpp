// A model that is open: its folder, the device it runs on, and the plugins that requests to it use.
#pragma once

#include <optional>

#include "host/config/settings.hpp"
#include "host/model/device.hpp"
#include "host/model/model_folder.hpp"
#include "host/model/pipeline.hpp"
#include "host/plugins/catalog.hpp"
#include "host/plugins/loader.hpp"
#include "host/selection/open_backends.hpp"
#include "host/selection/selftest.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// Lives longer than its requests, which may differ in everything but folder, pipeline, device and libraries: size,
/// guidance, caching, attention backends and their options. [one thread: the loader's]
class LoadedModel {
 public:
  /// Finds the folder, the device and the pipeline that runs the one on the other; opens nothing yet. `catalog` and
  /// `host` are borrowed and must outlive the model. Throws RequestError for whatever is impossible.
  LoadedModel(const Settings& settings, const Catalog& catalog, const HostServices& host);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  const ModelFolder& folder() const { return folder_; }
  const RunDevice& device() const { return device_; }
  /// The item that runs it.
  const CatalogItem& item() const { return item_; }
  const Catalog& catalog() const { return catalog_; }
  const HostServices& host() const { return host_; }
  Loader& loader() { return loader_; }
  OpenBackends& backends() { return backends_; }
  SelfTests& self_tests() { return self_tests_; }

  /// Opened at the first call. Throws RequestError or std::runtime_error, which begins with the item's name.
  OpenPipeline& pipeline();
  /// The pipeline that is asked what requests would take: `pipeline()`, or after check_beside_runs() another of the
  /// same item and folder, which holds no weights.
  OpenPipeline& checker();
  /// From now on requests may be checked while one runs: a pipeline takes one call at a time.
  void check_beside_runs() { checks_beside_runs_ = true; }

  /// Throws RequestError if the settings of a request say something else of the model than it was opened with.
  void require_same(const Settings& settings) const;

 private:
  const Settings settings_;
  const Catalog& catalog_;
  const HostServices& host_;
  ModelFolder folder_;
  RunDevice device_;
  const CatalogItem& item_;
  Loader loader_;
  OpenBackends backends_;
  SelfTests self_tests_;
  bool checks_beside_runs_ = false;
  std::optional<OpenPipeline> pipeline_, checker_;
};

}  // namespace fastvideo::host
