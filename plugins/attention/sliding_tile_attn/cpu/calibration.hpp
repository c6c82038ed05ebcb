// `fastvideo calibrate SLIDING_TILE_ATTN`: dense attention that also measures the error of every candidate window.
#pragma once

#include <fastvideo/calibration.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugins/attention/sliding_tile_attn/search.hpp"
#include "plugins/attention/sliding_tile_attn/settings.hpp"

namespace fastvideo::sliding_tile {

/// The measurements of all runs so far: sums over prompts, branches and batch rows.
struct Measurements {
  int64_t steps = 0, layers = 0, heads = 0;  ///< of the model and its runs; 0: no run yet
  std::optional<TileGrid> tiles;
  std::vector<Extent> candidates;
  std::vector<std::vector<double>> differences;  ///< [step, layer, head][candidate]: squared, to dense attention
  std::vector<double> norms;                     ///< [step, layer, head]: squared, of dense attention
};

class SlidingTileCalibration final : public AttentionCalibration {
 public:
  /// Throws Refused if an option would have no effect.
  SlidingTileCalibration(const Host& host, const Options& options);
  ~SlidingTileCalibration() override;

  AttentionBackend& stand_in() override { return *backend_; }
  std::string finish() override;

 private:
  Settings settings_;
  Goal goal_;
  Measurements measurements_;
  std::unique_ptr<AttentionBackend> backend_;
};

}  // namespace fastvideo::sliding_tile
