// The pipeline of a run: the item that serves a model folder, and what it says a request would take.
#pragma once

#include <fastvideo/early_signals.h>
#include <fastvideo/pipeline.h>

#include <fastvideo/attention.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/calls/cancel.hpp"
#include "host/model/model_folder.hpp"
#include "host/plugins/loader.hpp"

namespace fastvideo::host {

/// Caching session info that owns what it points to.
class CacheInfoCopy {
 public:
  explicit CacheInfoCopy(const fv_cache_session_info& info);
  CacheInfoCopy(const CacheInfoCopy&) = delete;
  CacheInfoCopy& operator=(const CacheInfoCopy&) = delete;
  const fv_cache_session_info& get() const { return info_; }
  /// Names the preset, unless the pipeline has.
  void name_preset(const std::string& name);

 private:
  fv_cache_session_info info_;
  std::string model_, preset_;
  std::vector<std::string> signals_;
  std::vector<const char*> signal_names_;
  std::vector<uint8_t> early_;
  std::vector<double> sigmas_, timesteps_;
  std::vector<int32_t> expert_of_step_;
};

/// What a request would take, as `check` told it.
struct PipelineEstimate {
  struct Site {
    std::unique_ptr<AttentionSiteCopy> site;
    int64_t runs = 0;
  };
  struct Bytes {
    std::string name;
    uint64_t bytes = 0;
  };
  struct Kept {
    std::string stage, what;  ///< a signal, or "blocks"
    uint64_t bytes = 0;       ///< of one branch
  };
  struct Correction {
    std::string parameter, asked, used, why;
  };

  std::vector<Site> sites;
  std::vector<Bytes> components;  ///< weights
  std::vector<Bytes> peaks;       ///< by stage
  std::vector<Correction> corrections;
  std::unique_ptr<CacheInfoCopy> cache;  ///< null if the pipeline offers no cuts
  std::vector<Kept> kept;                ///< what caching may have kept; empty if the pipeline does not say

  std::vector<const fv_attention_site*> site_pointers() const;
};

/// A pipeline over one model folder. One thread at a time.
class OpenPipeline {
 public:
  /// Opens the item and the folder. Throws RequestError or std::runtime_error, which begins with the item's name.
  OpenPipeline(Loader& loader, const fv_services* host, const CatalogItem& item, const ModelFolder& folder);
  ~OpenPipeline();
  OpenPipeline(const OpenPipeline&) = delete;
  OpenPipeline& operator=(const OpenPipeline&) = delete;

  const CatalogItem& item() const { return item_; }

  /// Throws RequestError if the request is impossible.
  PipelineEstimate check(const fv_pipeline_request& request);
  /// Norms of early signals over the steps of the request, [steps][measures]; nothing if the pipeline measures none
  /// before a run. Throws as run does.
  std::optional<std::vector<double>> measure_early(const fv_pipeline_request& request, int32_t steps,
                                                   std::span<const fv_cache_measure> measures);
  /// Throws RequestError, CancelledError (only where `cancel`, which the services tell of, is set) or
  /// std::runtime_error. `services` are those of the run.
  void run(const fv_services* services, const fv_pipeline_request& request, const fv_pipeline_sink& sink,
           const CancelToken& cancel);

 private:
  template <class Call>
  void naming_parameter(Call&& call) const;

  const CatalogItem& item_;
  std::string name_;
  const fv_pipeline_interface* table_ = nullptr;
  const fv_early_signals_interface* early_ = nullptr;  // of a pipeline that has it
  fv_pipeline* pipeline_ = nullptr;
};

}  // namespace fastvideo::host
