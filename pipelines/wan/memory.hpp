// How much memory a run takes, from the configurations alone.
#pragma once

#include <cstdint>
#include <vector>

#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// A component or a stage with its bytes.
struct Bytes {
  const char* name;
  uint64_t bytes;
};

/// Weights as the run holds them, by component.
std::vector<Bytes> component_bytes(const WanFolder& folder, const Request& request);

/// Peak of each stage, the weights then in memory included, as request.offload keeps them; what attention backends keep
/// is not. Where more runs follow, it is the peak of all of them.
std::vector<Bytes> stage_peaks(const WanFolder& folder, const Request& request, const Shape& shape);

}  // namespace fastvideo::wan
