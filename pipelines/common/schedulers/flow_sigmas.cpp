#include "pipelines/common/schedulers/flow_sigmas.hpp"

#include <fastvideo/core.hpp>

namespace fastvideo {

std::vector<double> linspace(double first, double last, int64_t count) {
  std::vector<double> values(static_cast<size_t>(count), first);
  const double step = count > 1 ? (last - first) / static_cast<double>(count - 1) : 0.0;
  for (int64_t i = 1; i < count; ++i)
    values[static_cast<size_t>(i)] = i == count - 1 ? last : first + static_cast<double>(i) * step;
  return values;
}

double shift_sigma(double shift, double sigma) { return shift * sigma / (1.0 + (shift - 1.0) * sigma); }

void stretch_to_terminal(std::vector<double>& sigmas, double terminal) {
  const double rest = 1.0 - sigmas.back();
  if (rest <= 0.0)
    throw Refused("shift_terminal of the scheduler needs a noise level below 1: ask for 2 or more inference steps");
  const double scale = rest / (1.0 - terminal);
  for (double& sigma : sigmas) sigma = 1.0 - (1.0 - sigma) / scale;
}

}  // namespace fastvideo
