// Fits TeaCache's polynomials: the relative change of the model's output against that of the indicator, over all steps
// of some exact runs (Liu et al. 2024, section 3.3).
#pragma once

#include <fastvideo/calibration.hpp>
#include <string>
#include <vector>

#include "plugins/cache/teacache/polynomial_fit.hpp"

namespace fastvideo::teacache {

/// A signal that a polynomial can be fitted to, and the variant that watches the signal.
struct Indicator {
  std::string signal;
  bool use_ret_steps;
};

/// The points of one polynomial.
struct Sample {
  Indicator indicator;
  int32_t expert;
  std::vector<Point> points;
};

/// All measurements so far.
struct Measurements {
  std::string model;
  std::string preset;
  int32_t steps = 0;
  int32_t runs = 0;
  std::vector<Sample> samples;  ///< [indicators][experts]
};

/// The rows of a data file for the measurements. Throws Refused, with the number of steps needed, if there are fewer
/// distinct points than a polynomial has coefficients.
std::string data_rows(const Measurements& measurements);

class TeaCacheCalibration final : public CacheCalibration {
 public:
  TeaCacheCalibration();
  CacheStrategy& stand_in() override { return *observer_; }
  std::string finish() override { return data_rows(measurements_); }

 private:
  Measurements measurements_;
  std::unique_ptr<CacheStrategy> observer_;
};

}  // namespace fastvideo::teacache
