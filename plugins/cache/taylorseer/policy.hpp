// TaylorSeer (Liu et al. 2025, arXiv 2503.06923): between computed steps the blocks' residual is extrapolated by a
// Taylor series whose derivatives are divided differences of the computed residuals.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>
#include <vector>

namespace fastvideo::taylorseer {

struct Settings {
  int32_t interval;
  int32_t max_order;
  int32_t kept_first;
};

/// Whether a step is computed: the first steps, then one in `interval`, and the last.
bool is_computed(const Settings& settings, int32_t step, int32_t steps);

/// The weight of each of the last computed steps, newest first, in the extrapolation to `step`:
///   f(step) = sum_j (step - t_0)^j / j! * D_j,   D_0(i) = f(t_i),   D_{j+1}(i) = (D_j(i) - D_j(i+1)) / (t_i -
///   t_{i+1}).
/// As many orders as there are computed steps, max_order at most. [computed.size()]
std::vector<double> extrapolation(const std::vector<int32_t>& computed, int32_t max_order, int32_t step);

class TaylorSeer final : public CacheStrategy {
 public:
  explicit TaylorSeer(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  Settings settings_;
};

}  // namespace fastvideo::taylorseer
