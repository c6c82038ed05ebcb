// What the host offers a pipeline for the time of one run: its own services, and progress, attention and caching.
#pragma once

#include <fastvideo/abi.h>

#include <string_view>

#include "host/calls/cancel.hpp"
#include "host/progress/run_progress.hpp"
#include "host/services/attention_session.hpp"
#include "host/services/cache_session.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {

/// The services of a run. Everything is borrowed and must outlive it; a cache of nullptr means that caching is off.
class RunServices {
 public:
  RunServices(const HostServices& host, RunProgress& progress, const CancelToken& cancel, AttentionService& attention,
              CacheService* cache);
  RunServices(const RunServices&) = delete;
  RunServices& operator=(const RunServices&) = delete;

  const fv_services* get() const { return &handle_.abi; }
  /// The service of an id, nullptr if there is none of it.
  const void* find(std::string_view id) const;

 private:
  const HostServices& host_;
  RunProgress& progress_;
  const CancelToken& cancel_;
  const fv_attention_service* attention_;
  const fv_cache_service* cache_;
  fv_progress_service progress_service_{};
  ServicesOf<RunServices> handle_{*this};
};

}  // namespace fastvideo::host
