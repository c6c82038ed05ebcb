// Measures MagCache's magnitude ratios over all steps of some exact runs (Ma et al. 2025, section 3.2).
#pragma once

#include <fastvideo/calibration.hpp>
#include <string>
#include <vector>

namespace fastvideo::magcache {

/// Norms of the blocks' residual, of one run: [branches][steps]. NaN where no pass was observed.
using ResidualNorms = std::vector<std::vector<double>>;

/// All measurements so far.
struct Measurements {
  std::string model;
  std::string preset;
  int32_t steps = 0;
  int32_t branches = 0;
  std::vector<ResidualNorms> runs;
};

/// The ratio of the norm at each step to the norm at the step before, as the mean over runs: [branches][steps], 1 at
/// the first step. Throws Refused if a norm is missing, zero or not finite.
std::vector<std::vector<double>> magnitude_ratios(const Measurements& measurements);

/// The ratio is that of the norms of the whole residual. The authors' code takes the mean over tokens of the ratio of
/// each token's norms; the two ratios differ if tokens change unevenly (docs/decisions/0006-calibration.md).
class MagCacheCalibration final : public CacheCalibration {
 public:
  MagCacheCalibration();
  CacheStrategy& stand_in() override { return *observer_; }
  std::string finish() override;

 private:
  Measurements measurements_;
  std::unique_ptr<CacheStrategy> observer_;
};

}  // namespace fastvideo::magcache
