// Guidance gate (Castillo et al. 2023, arXiv 2312.12487): late in the loop the difference of the branches hardly
// changes, so the last computed difference, added to the conditional output, replaces the unconditional pass.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>

namespace fastvideo::guidance_gate {

class GuidanceGate final : public CacheStrategy {
 public:
  explicit GuidanceGate(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  int32_t first_gated(int32_t steps) const;

  double gate_step_;
};

}  // namespace fastvideo::guidance_gate
