// Statistics of a few measurements of one quantity.
#pragma once

#include <algorithm>
#include <vector>

namespace fastvideo::host {

/// Median and spread of measurements.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};

/// Takes at least one number; the median of an even count is the mean of the two in the middle.
inline Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

}  // namespace fastvideo::host
