#include "host/request/memory_ledger.hpp"

#include <algorithm>
#include <limits>

namespace fastvideo {
namespace {

// What a plugin states may be any number.
std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace

std::optional<PipelineEstimate::Bytes> MemoryLedger::peak() const {
  const auto most =
      std::max_element(stages.begin(), stages.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  return most != stages.end() ? std::optional(*most) : std::nullopt;
}

MemoryLedger memory_ledger(const PipelineEstimate& estimate, const SitePlans& plans) {
  MemoryLedger ledger{estimate.peaks, plans.resident_bytes(), plans.scratch_bytes()};
  for (PipelineEstimate::Bytes& stage : ledger.stages)
    stage.bytes = sum(stage.bytes, sum(ledger.attention_resident, ledger.attention_scratch));
  return ledger;
}

}  // namespace fastvideo
