// A session of a strategy before the run: what it asks of the pipeline.
#pragma once

#include <fastvideo/cache.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/services/cache_session.hpp"

namespace fastvideo::host {

/// Opened for the asking, and closed at the end. [one thread: the loader's]
class CacheProbe {
 public:
  /// Throws RequestError or std::runtime_error as the run itself would.
  CacheProbe(CacheService& cache, const fv_cache_session_info& info);
  ~CacheProbe();
  CacheProbe(const CacheProbe&) = delete;
  CacheProbe& operator=(const CacheProbe&) = delete;

  bool is_static() const { return plan_.is_static != 0; }
  const fv_cache_cut& cut() const { return plan_.cut; }
  std::span<const fv_cache_measure> measures() const { return {plan_.measures, plan_.measure_count}; }
  /// The signals that are measured, each once.
  std::vector<std::string> signals() const;
  std::span<const fv_cache_slot> slots() const { return {plan_.slots, plan_.slot_count}; }

  /// Asks for the schedule of a static strategy. The answers are counted by the service; the coefficients are of no use
  /// here.
  void schedule(const std::vector<double>& measurements, size_t decisions);

 private:
  const fv_cache_service& service_;
  fv_cache_session* session_ = nullptr;
  fv_cache_plan plan_{};
};

/// What a strategy keeps in memory, known from its plan: the same for requests of all sizes.
struct CacheKeeps {
  std::string cut;                   ///< "blocks", or the signal that a slot of another cut is as large as
  uint64_t slots = 0;                ///< tensors of the cut, all branches together, with the one that is being made
  std::vector<std::string> signals;  ///< measured in the loop, each once
  uint64_t branches = 0;             ///< that each signal is kept of
};

/// Throws as CacheProbe.
CacheKeeps cache_keeps(CacheStrategyHandle& strategy, const fv_cache_session_info& info);

}  // namespace fastvideo::host
