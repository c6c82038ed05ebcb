// A bench as text, JSON and a picture.
#pragma once

#include <string>

#include "tools/bench/figures.hpp"

namespace fastvideo::host {

/// Tables for the terminal: one line per setting, then seconds per stage, then a legend of the figures.
std::string bench_text(const BenchResult& result);

/// All measurements, every run included, as a JSON document.
std::string bench_json(const BenchResult& result);

/// Speed-up against PSNR as an SVG document; settings of one strategy are joined by a line. Settings whose pictures
/// equal those of the exact run stand on a separate line above the scale.
std::string bench_plot(const BenchResult& result);

/// What the peak of memory means on the device, for a table.
std::string peak_memory_text(bool is_cuda);
/// "2.31x"
std::string speed_up_text(double speed_up);
/// "28.4 dB", "identical"
std::string psnr_text(double psnr);
/// `number` with this many digits behind the point.
std::string fixed(double number, int digits);

}  // namespace fastvideo::host
