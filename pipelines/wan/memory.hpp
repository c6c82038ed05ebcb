// How much memory a run takes, from the configurations alone.
#pragma once

#include <cstdint>
#include <vector>

#include "pipelines/common/model_folder/model_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// A component or a stage with its bytes.
struct Bytes {
  const char* name;
  uint64_t bytes;
};

/// Weights as the run holds them, by component.
std::vector<Bytes> component_bytes(const ModelFolder& folder, const Request& request);

/// Peak of each stage, the weights then in memory included; what attention backends keep is not. A component is
/// released before the next one is loaded, so the largest of these is the run's peak.
std::vector<Bytes> stage_peaks(const ModelFolder& folder, const Request& request, const Shape& shape);

}  // namespace fastvideo::wan
