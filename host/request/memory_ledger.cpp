#include "host/request/memory_ledger.hpp"

#include <algorithm>
#include <limits>

namespace fastvideo::host {
namespace {

// What a plugin states may be any number.
uint64_t sum(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max() : a + b;
}

uint64_t product(uint64_t a, uint64_t b) {
  return b != 0 && a > std::numeric_limits<uint64_t>::max() / b ? std::numeric_limits<uint64_t>::max() : a * b;
}

// A signal is kept of the step before and of the last computed one; that of the pass in hand lives with them.
void add_caching(const PipelineEstimate& estimate, const CacheKeeps& keeps, MemoryLedger& ledger) {
  for (const PipelineEstimate::Kept& kept : estimate.kept) {
    const uint64_t slots = kept.what == keeps.cut ? product(keeps.slots, kept.bytes) : 0;
    const bool is_measured = std::ranges::count(keeps.signals, kept.what) > 0;
    const uint64_t signals = is_measured ? product(2 * keeps.branches + 1, kept.bytes) : 0;
    ledger.cache_slots = sum(ledger.cache_slots, slots);
    ledger.cache_signals = sum(ledger.cache_signals, signals);
    for (PipelineEstimate::Bytes& stage : ledger.stages)
      if (stage.name == kept.stage) stage.bytes = sum(stage.bytes, sum(slots, signals));
  }
}

}  // namespace

std::optional<PipelineEstimate::Bytes> MemoryLedger::peak() const {
  const auto most = std::ranges::max_element(stages, {}, &PipelineEstimate::Bytes::bytes);
  return most != stages.end() ? std::optional(*most) : std::nullopt;
}

uint64_t MemoryLedger::beside_on_cuda() const {
  constexpr uint64_t kContextAndLibraries = 704 << 20;
  const auto most = peak();
  return most ? kContextAndLibraries + most->bytes / 16 : 0;
}

std::optional<uint64_t> MemoryLedger::needed(bool is_on_cuda) const {
  const auto most = peak();
  if (!most) return std::nullopt;
  return is_on_cuda ? sum(most->bytes, beside_on_cuda()) : most->bytes;
}

MemoryLedger memory_ledger(const PipelineEstimate& estimate, const SitePlans& plans, const CacheKeeps* keeps) {
  MemoryLedger ledger{estimate.peaks, plans.resident_bytes(), plans.scratch_bytes()};
  if (keeps != nullptr) add_caching(estimate, *keeps, ledger);
  const auto may_loop = [&](const PipelineEstimate::Bytes& stage) {
    return estimate.kept.empty() || stage.name == estimate.kept.front().stage;
  };
  for (PipelineEstimate::Bytes& stage : ledger.stages)
    stage.bytes = sum(stage.bytes, sum(ledger.attention_resident,
                                       may_loop(stage) ? ledger.attention_scratch : plans.scratch_outside_loop()));
  return ledger;
}

}  // namespace fastvideo::host
