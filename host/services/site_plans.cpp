#include <algorithm>
#include <string_view>
#include <tuple>

#include "host/services/attention_session.hpp"

namespace fastvideo::host {
namespace {

// All that a backend may look at.
bool are_equal(const fv_attention_site& a, const fv_attention_site& b) {
  const auto numbers = [](const fv_attention_site& s) {
    return std::tuple(s.device.type, s.device.index, s.dtype.code, s.dtype.bits, s.dtype.lanes, s.masks, s.require,
                      s.head_size, s.query_heads, s.kv_heads, s.total_heads, s.layers, s.batch, s.query_length,
                      s.key_length, s.scale, s.grid[0], s.grid[1], s.grid[2], s.tokens_before, s.tokens_after, s.steps);
  };
  return std::string_view(a.role) == b.role && numbers(a) == numbers(b) &&
         std::equal(a.inputs, a.inputs + a.input_count, b.inputs, b.inputs + b.input_count,
                    [](const char* one, const char* other) { return std::string_view(one) == other; });
}

std::vector<const fv_attention_site*> pointers(const std::vector<std::unique_ptr<AttentionSiteCopy>>& sites) {
  std::vector<const fv_attention_site*> all;
  for (const auto& site : sites) all.push_back(&site->get());
  return all;
}

}  // namespace

SitePlans::SitePlans(AttentionSelector& selector, std::span<const fv_attention_site* const> sites)
    : selector_(selector), planned_(std::make_unique<AttentionSession>(selector, sites)) {
  for (const fv_attention_site* site : sites) sites_.push_back(std::make_unique<AttentionSiteCopy>(*site));
  for (const auto& binding : planned_->bindings()) {
    choices_.push_back(binding->choice);
    resident_bytes_ += binding->info.resident_bytes;
    scratch_bytes_ = std::max(scratch_bytes_, binding->info.scratch_bytes);
    const bool in_loop = sites_[choices_.size() - 1]->get().steps > 0;
    if (!in_loop) scratch_outside_loop_ = std::max(scratch_outside_loop_, binding->info.scratch_bytes);
  }
}

const AttentionSession& SitePlans::planned() {
  if (planned_ == nullptr) planned_ = plan_again();
  return *planned_;
}

std::unique_ptr<AttentionSession> SitePlans::plan_again() {
  return std::make_unique<AttentionSession>(selector_, pointers(sites_), choices_);
}

bool SitePlans::are_mine(std::span<const fv_attention_site* const> sites) const {
  return std::ranges::equal(sites, sites_, [](const fv_attention_site* theirs, const auto& mine) {
    return theirs != nullptr && theirs->role != nullptr && are_equal(AttentionSiteCopy(*theirs).get(), mine->get());
  });
}

std::unique_ptr<AttentionSession> SitePlans::take(std::span<const fv_attention_site* const> sites) {
  if (!are_mine(sites)) return std::make_unique<AttentionSession>(selector_, sites);
  return planned_ != nullptr ? std::move(planned_) : plan_again();
}

}  // namespace fastvideo::host
