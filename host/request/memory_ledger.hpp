// What a run will hold in the memory of its device, added up from what each part states.
#pragma once

#include <optional>
#include <vector>

#include "host/model/pipeline.hpp"
#include "host/request/cache_probe.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo::host {

/// Bytes of each stage at its peak. A pipeline states its weights, activations and encoded prompts; every attention
/// plan its resident and scratch memory, of which the pipeline holds the first during the whole run and the second
/// while a stage runs; a caching strategy its slots and signals, whose sizes the pipeline states.
struct MemoryLedger {
  std::vector<PipelineEstimate::Bytes> stages;
  uint64_t attention_resident = 0;  ///< in every stage
  /// Of the neediest plan: in every stage, but that plans of sites in the loop have it in the loop's stage alone, where
  /// the pipeline says which that is.
  uint64_t attention_scratch = 0;
  uint64_t cache_slots = 0;    ///< in the stages that the pipeline names
  uint64_t cache_signals = 0;  ///< the same

  /// The stage that needs most; nothing if no stage was named.
  std::optional<PipelineEstimate::Bytes> peak() const;
  /// What a run takes of a CUDA device beside the peak: context and libraries, and blocks that LibTorch's allocator
  /// keeps in reserve. On an H200 up to 699 MiB and 2.7 to 5.8 % of the peak (docs/performance.md): 704 MiB and a
  /// sixteenth are said.
  uint64_t beside_on_cuda() const;
  /// The peak with what the device takes beside it; nothing if no stage was named.
  std::optional<uint64_t> needed(bool is_on_cuda) const;
};

/// keeps: of the strategy; null where caching is off.
MemoryLedger memory_ledger(const PipelineEstimate& estimate, const SitePlans& plans, const CacheKeeps* keeps);

}  // namespace fastvideo::host
