// How much memory a run takes, from the configurations alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/common/model_folder/model_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// Bytes at the peak of one stage, the weights then in memory included. Plans of attention backends are not counted.
struct StagePeak {
  const char* stage;
  uint64_t bytes;
};

/// Bytes of a component's weights as the run holds them.
struct ComponentBytes {
  const char* name;
  uint64_t bytes;
};

std::vector<ComponentBytes> component_bytes(const ModelFolder& folder, const Request& request);

/// Components are released before the next one is loaded, so the largest of these is the run's peak.
std::vector<StagePeak> stage_peaks(const ModelFolder& folder, const Request& request, const Shape& shape);

}  // namespace fastvideo::wan
