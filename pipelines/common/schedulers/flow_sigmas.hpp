// Arithmetic on flow-matching noise levels that both schedulers share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fastvideo {

/// `count` numbers from first to last, both included; first alone if count is 1.
std::vector<double> linspace(double first, double last, int64_t count);

/// Moves noise levels towards 1: shift s / (1 + (shift - 1) s) (Esser et al. 2024, equation 23).
double shift_sigma(double shift, double sigma);

/// Stretches falling noise levels so that the last becomes `terminal`; 1 stays. Throws Refused if no level is below 1.
void stretch_to_terminal(std::vector<double>& sigmas, double terminal);

/// The nearest float32.
inline double to_float32(double value) { return static_cast<double>(static_cast<float>(value)); }

}  // namespace fastvideo
