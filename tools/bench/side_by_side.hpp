// The clips of all settings in one video, each under its name and figures.
#pragma once

#include <filesystem>

#include "host/calls/cancel.hpp"
#include "tools/bench/figures.hpp"

namespace fastvideo::host {

/// Writes the clips of the settings that did not fail (the plan's first prompt and seed) as a grid, in the order of the
/// plan. Throws as VideoWriter does, std::runtime_error if no setting has a clip.
void write_side_by_side(const BenchResult& result, const std::filesystem::path& file, const CancelToken& cancel);

/// The lines of text above the clip of a setting: name, then speed-up and PSNR.
std::vector<std::string> label_of(const BenchResult& result, const BenchOutcome& outcome);

}  // namespace fastvideo::host
