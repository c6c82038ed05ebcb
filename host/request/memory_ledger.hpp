// What a run will hold in the memory of its device, added up from what each part states.
#pragma once

#include <optional>
#include <vector>

#include "host/model/pipeline.hpp"
#include "host/services/attention_session.hpp"

namespace fastvideo {

/// Bytes of each stage at its peak. A pipeline states its weights and activations; every attention plan its resident
/// and scratch memory, of which the pipeline holds the first during the whole run and the second while a stage runs.
struct MemoryLedger {
  std::vector<PipelineEstimate::Bytes> stages;
  std::uint64_t attention_resident = 0;  ///< in every stage
  std::uint64_t attention_scratch = 0;   ///< in every stage: of the neediest plan, as if all stages had it

  /// The stage that needs most; nothing if no stage was named.
  std::optional<PipelineEstimate::Bytes> peak() const;
};

MemoryLedger memory_ledger(const PipelineEstimate& estimate, const SitePlans& plans);

}  // namespace fastvideo
