// The cache service of a run: the strategy that the user chose, behind a table that counts what it decides.
#pragma once

#include <fastvideo/cache.h>

#include <cstdint>
#include <string>
#include <vector>

#include "host/calls/call_note.hpp"
#include "host/config/settings.hpp"
#include "host/plugins/loader.hpp"
#include "host/services/cache_contract.hpp"

namespace fastvideo::host {

/// A caching strategy that has been created. [one thread: the loader's]
class CacheStrategyHandle {
 public:
  /// Opens the item and creates the strategy with the options that the settings give it. Throws RequestError or
  /// std::runtime_error, which begins with the item's name.
  CacheStrategyHandle(Loader& loader, const Settings& settings, const fv_services* host, const CatalogItem& item);
  explicit CacheStrategyHandle(const StandIn& stand_in);
  ~CacheStrategyHandle();
  CacheStrategyHandle(const CacheStrategyHandle&) = delete;
  CacheStrategyHandle& operator=(const CacheStrategyHandle&) = delete;

  /// Throws RequestError with the strategy's reason if it does not take the session.
  void require_support(const fv_cache_session_info& info) const;

  const CatalogItem& item() const { return item_; }
  const std::string& name() const { return name_; }  ///< "teacache/static"
  const fv_cache_interface& table() const { return *table_; }
  fv_cache_strategy* strategy() const { return strategy_; }
  /// The name of a call of one of its functions.
  CallName in(const char* function) const { return {function, kept_name_, nullptr}; }

 private:
  const CatalogItem& item_;
  std::string name_;
  const char* kept_name_;
  const fv_cache_interface* table_ = nullptr;
  fv_cache_strategy* strategy_ = nullptr;
  bool is_owned_ = true;
};

/// fv_cache_service over a strategy. One thread at a time, and one session at a time as far as the counts go.
class CacheService {
 public:
  /// The strategy must outlive the service. `preset` is told to the strategy unless the pipeline names one.
  explicit CacheService(CacheStrategyHandle& strategy, std::string preset = {});
  CacheService(const CacheService&) = delete;
  CacheService& operator=(const CacheService&) = delete;

  const fv_cache_service* service() const { return &service_; }
  /// Forward passes (or branches of them) that were decided so far, and those of them that were left out.
  uint64_t decided() const { return decided_; }
  uint64_t reused() const { return reused_; }
  /// Of each branch of the last session, the steps (0 is the first) that were left out, in order: [branches].
  const std::vector<std::vector<int32_t>>& left_out() const { return left_out_; }

 private:
  void open(fv_cache_session_info info, fv_cache_session** session, fv_cache_plan& plan);
  fv_status schedule(fv_cache_session* session, const double* measurements, fv_cache_decision* const* decisions,
                     fv_text* error);
  fv_status decide(fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                   fv_cache_decision* decision, fv_text* error);
  fv_status broken(const std::string& fault, fv_text* error) const;

  CacheStrategyHandle& strategy_;
  std::string preset_;
  CacheAnswers answers_;           // of the last session
  size_t decisions_ = 0;           // that its schedule has
  std::vector<int32_t> branches_;  // of the pass that is decided
  std::vector<std::vector<int32_t>> left_out_;
  uint64_t decided_ = 0;
  uint64_t reused_ = 0;
  fv_cache_service service_;
};

}  // namespace fastvideo::host
