// The settings of a bench as a TOML file.
#pragma once

#include <string>

#include "tools/bench/plan.hpp"

namespace fastvideo::host {

/// Settings, reference and, where the file has them, prompts, seeds and rounds. Throws RequestError with the place of
/// text that is not understood.
BenchPlan read_matrix_file(const std::string& file);

}  // namespace fastvideo::host
