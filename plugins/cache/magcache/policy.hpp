// MagCache (Ma et al. 2025, arXiv 2506.09045): the ratio of the norms of successive residuals hardly depends on the
// prompt, so how far a kept residual has drifted is known beforehand.
#pragma once

#include <fastvideo/cache.hpp>
#include <string>
#include <vector>

namespace fastvideo::magcache {

struct Settings {
  double threshold;
  int64_t max_skip_steps;  ///< K of the paper
  double retention_ratio;
};

/// Which steps of one branch are left out: steps are left out while the error |1 - product of the ratios since the last
/// computed step|, added up over those steps, stays below the threshold, and for K steps in a row at most (section
/// 3.3).
std::vector<bool> skipped_steps(const Settings& settings, const std::vector<double>& ratios);

/// A list of ratios stretched to another number of steps: the nearest entry for each step.
std::vector<double> stretched(const std::vector<double>& ratios, size_t steps);

/// Ratios of one model, [branches][steps as measured].
struct Row {
  std::string model;
  std::string preset;  ///< empty: any
  std::vector<std::vector<double>> ratios;
};

/// All rows of a parsed data file. Throws Refused naming the file, the row and its fault.
std::vector<Row> read_rows(const fv_value& file, const std::string& file_name = "ratios.toml");

class MagCache final : public CacheStrategy {
 public:
  explicit MagCache(const Options& options);

  std::string refuses(const fv_cache_session_info& info) const override;
  std::unique_ptr<CacheSession> open(const fv_cache_session_info& info) override;

 private:
  const Row* row_for(const fv_cache_session_info& info) const;

  Settings settings_;
  std::vector<Row> rows_;
};

}  // namespace fastvideo::magcache
